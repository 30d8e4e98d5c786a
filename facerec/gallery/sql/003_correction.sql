-- Putting mistakes right: names that two persons may share, faces that are said not to be a person, undo.

ALTER TABLE person DROP CONSTRAINT person_name_key;
CREATE INDEX person_name ON person (name);
ALTER TABLE person ADD COLUMN ignored boolean NOT NULL DEFAULT false;

CREATE TABLE denial (LIKE sample INCLUDING ALL);   -- faces that are said not to be this person: see denials.py
ALTER TABLE denial ADD FOREIGN KEY (person_id) REFERENCES person (id);

CREATE TABLE change (                         -- what can be undone: see undo.py
    id       uuid PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    expires  timestamptz NOT NULL,
    action   text NOT NULL,
    persons  uuid[] NOT NULL,
    crops    bytea[] NOT NULL
);

CREATE TABLE change_person (                  -- persons as they were before the change
    change_id  uuid NOT NULL REFERENCES change (id) ON DELETE CASCADE,
    id         uuid NOT NULL,
    name       text NOT NULL,
    note       text NOT NULL,
    created    timestamptz NOT NULL,
    ignored    boolean NOT NULL,
    PRIMARY KEY (change_id, id)
);

CREATE TABLE change_sample (                  -- samples and denials as they were before the change
    change_id  uuid NOT NULL REFERENCES change (id) ON DELETE CASCADE,
    denied     boolean NOT NULL,
    person_id  uuid NOT NULL,
    crop       bytea NOT NULL,
    vector     vector NOT NULL,
    source     text NOT NULL,
    box        real[],
    score      real,
    kept       bytea,
    created    timestamptz NOT NULL,
    PRIMARY KEY (change_id, denied, person_id, crop)
);
ALTER TABLE change_sample ALTER COLUMN vector SET STORAGE PLAIN;
ALTER TABLE change_sample ALTER COLUMN kept SET STORAGE EXTERNAL;

-- as in 001_gallery.sql: the planner's statistics would hold copies
ALTER TABLE denial ALTER COLUMN vector SET STATISTICS 0;
ALTER TABLE denial ALTER COLUMN source SET STATISTICS 0;
ALTER TABLE denial ALTER COLUMN crop SET STATISTICS 0;
ALTER TABLE denial ALTER COLUMN kept SET STATISTICS 0;
ALTER TABLE change ALTER COLUMN crops SET STATISTICS 0;
ALTER TABLE change_person ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE change_person ALTER COLUMN note SET STATISTICS 0;
ALTER TABLE change_sample ALTER COLUMN vector SET STATISTICS 0;
ALTER TABLE change_sample ALTER COLUMN source SET STATISTICS 0;
ALTER TABLE change_sample ALTER COLUMN crop SET STATISTICS 0;
ALTER TABLE change_sample ALTER COLUMN kept SET STATISTICS 0;
