-- How many seconds a call may take. NULL: only the other limits apply.
ALTER TABLE queues ADD COLUMN max_call_seconds INTEGER;
ALTER TABLE servers ADD COLUMN max_call_seconds INTEGER;
