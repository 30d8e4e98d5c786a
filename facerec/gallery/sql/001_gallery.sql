-- One gallery for each database. `{dim}` is the length of the model's vectors, `{bits}` that of a code.
--
-- Citus can distribute it (see citus.sql): gallery and event stay on the coordinator, person is a
-- reference table, sample and centroid are distributed by person_id and co-located. So every key of theirs
-- begins with person_id, nothing updates it, and there are no triggers and no sequences.

CREATE TABLE gallery (                        -- one row: the model of the vectors
    id       smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    model    text NOT NULL,                   -- fingerprint
    dim      integer NOT NULL,
    created  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE person (
    id       uuid PRIMARY KEY,
    name     text NOT NULL UNIQUE CHECK (name <> ''),
    note     text NOT NULL DEFAULT '',
    created  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sample (
    person_id  uuid NOT NULL REFERENCES person (id),
    crop       bytea NOT NULL CHECK (octet_length(crop) = 32),  -- SHA-256 of the crop
    vector     vector({dim}) NOT NULL,        -- of unit length
    source     text NOT NULL,                 -- name of the photo, never the photo
    box        real[],                        -- x0, y0, x1, y1 in pixels of the photo
    score      real,                          -- the detector's
    created    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person_id, crop)
);
CREATE INDEX sample_crop ON sample (crop);

CREATE TABLE centroid (                       -- the binary code of a person's mean: see binary_codes.py
    person_id  uuid PRIMARY KEY REFERENCES person (id),
    code       bit({bits}) NOT NULL
);

CREATE TABLE event (                          -- the audit: neither names nor vectors
    id         uuid PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    actor      text NOT NULL,
    action     text NOT NULL,
    person_id  uuid,
    samples    integer NOT NULL DEFAULT 0
);

-- a vector is stored in its row, and can't be compressed
ALTER TABLE sample ALTER COLUMN vector SET STORAGE PLAIN;
ALTER TABLE centroid ALTER COLUMN code SET STORAGE PLAIN;

-- the planner's statistics would hold copies of names and vectors, which erasing could not reach
ALTER TABLE person ALTER COLUMN name SET STATISTICS 0;
ALTER TABLE person ALTER COLUMN note SET STATISTICS 0;
ALTER TABLE sample ALTER COLUMN vector SET STATISTICS 0;
ALTER TABLE sample ALTER COLUMN source SET STATISTICS 0;
ALTER TABLE sample ALTER COLUMN crop SET STATISTICS 0;
ALTER TABLE centroid ALTER COLUMN code SET STATISTICS 0;
