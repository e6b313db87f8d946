ALTER TABLE servers DROP COLUMN max_call_seconds;
ALTER TABLE queues DROP COLUMN max_call_seconds;
