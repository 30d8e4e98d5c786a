-- Distribute a gallery over the nodes of a Citus cluster: run once, on the coordinator, in an existing gallery.
-- docs/gallery.md says how much of this was tested.

CREATE EXTENSION IF NOT EXISTS citus;

-- every shard can join the names
SELECT create_reference_table('person');

-- all of a person's rows lie on one node, so an enrolment writes to one shard; a search is one top-k of each shard
SELECT create_distributed_table('sample', 'person_id', shard_count => 32);
SELECT create_distributed_table('centroid', 'person_id', colocate_with => 'sample');
SELECT create_distributed_table('denial', 'person_id', colocate_with => 'sample');

-- indexed photos lie with their faces
SELECT create_distributed_table('indexed_photo', 'id', shard_count => 32);
SELECT create_distributed_table('indexed_face', 'photo_id', colocate_with => 'indexed_photo');

-- an enrolment writes to the reference table first, and then reads all shards
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET citus.multi_shard_modify_mode = %L', current_database(), 'sequential');
END $$;

-- gallery, event, index_rule, unwiped, migration and the tables of undo stay on the coordinator: they are small, and
-- only it writes them
