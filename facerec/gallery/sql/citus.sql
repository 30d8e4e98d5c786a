-- Spread a gallery over the nodes of a Citus cluster: once, on the coordinator, after the gallery was made there.
-- docs/gallery.md says what of this was run.

CREATE EXTENSION IF NOT EXISTS citus;

-- names are unique everywhere, and every shard can join them
SELECT create_reference_table('person');

-- all of a person's rows lie on one node, so an enrolment writes to one shard; a search is one top-k of each shard
SELECT create_distributed_table('sample', 'person_id', shard_count => 32);
SELECT create_distributed_table('centroid', 'person_id', colocate_with => 'sample');

-- an enrolment writes the reference table first, and looks at all shards then
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET citus.multi_shard_modify_mode = %L', current_database(), 'sequential');
END $$;

-- gallery, event and migration are small or written by one place only, and stay on the coordinator
