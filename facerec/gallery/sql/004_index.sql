-- What `facerec index` remembers of photos, if somebody asks for it.
--
-- On Citus photos and their faces are distributed by photo (see citus.sql); index_rule and unwiped stay on the
-- coordinator. No statement joins faces with samples, which lie on other nodes.

CREATE TABLE indexed_photo (
    id       uuid PRIMARY KEY,                -- the beginning of the SHA-256 of its path
    path     bytea NOT NULL,                  -- empty once its faces were erased or expired
    size     bigint NOT NULL,                 -- of the file, in bytes
    mtime    bigint NOT NULL,                 -- of the file, in nanoseconds
    width    integer NOT NULL,
    height   integer NOT NULL,
    problem  text NOT NULL DEFAULT '',        -- why it can't be read
    indexed  timestamptz NOT NULL DEFAULT now(),
    expires  timestamptz                      -- when its unnamed faces are forgotten
);

CREATE TABLE indexed_face (
    photo_id  uuid NOT NULL REFERENCES indexed_photo (id) ON DELETE CASCADE,
    number    smallint NOT NULL,              -- in the photo, from 1
    box       real[] NOT NULL,                -- x0, y0, x1, y1 in pixels of the upright photo
    score     real NOT NULL,                  -- the detector's
    vector    vector({dim}) NOT NULL,         -- of unit length
    crop      bytea NOT NULL CHECK (octet_length(crop) = 32),  -- SHA-256 of the crop
    PRIMARY KEY (photo_id, number)
);

CREATE TABLE index_rule (                     -- one row, of the last indexing
    id         smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    threshold  real NOT NULL                  -- faces so similar to somebody erased are erased, too
);

CREATE TABLE unwiped (                        -- a row for each deletion that the server's files may still hold
    id  uuid PRIMARY KEY
);

-- as for samples: in the row, and out of the planner's statistics
ALTER TABLE indexed_photo ALTER COLUMN path SET STORAGE PLAIN;
ALTER TABLE indexed_photo ALTER COLUMN path SET STATISTICS 0;
ALTER TABLE indexed_photo ALTER COLUMN problem SET STATISTICS 0;
ALTER TABLE indexed_face ALTER COLUMN vector SET STORAGE PLAIN;
ALTER TABLE indexed_face ALTER COLUMN vector SET STATISTICS 0;
ALTER TABLE indexed_face ALTER COLUMN crop SET STATISTICS 0;
ALTER TABLE indexed_face ALTER COLUMN box SET STATISTICS 0;
