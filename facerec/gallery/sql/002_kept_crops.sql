-- The crop itself, PNG, where keep_crops=true asked for it: so that another model can embed it (gallery rebuild).

ALTER TABLE sample ADD COLUMN kept bytea;
ALTER TABLE sample ALTER COLUMN kept SET STORAGE EXTERNAL;  -- compressed already
ALTER TABLE sample ALTER COLUMN kept SET STATISTICS 0;
