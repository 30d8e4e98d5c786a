-- The crop as PNG, if it was enrolled with keep_crops=true, so that another model can embed it (gallery rebuild).

ALTER TABLE sample ADD COLUMN kept bytea;
ALTER TABLE sample ALTER COLUMN kept SET STORAGE EXTERNAL;  -- compressed already
ALTER TABLE sample ALTER COLUMN kept SET STATISTICS 0;
