DROP INDEX calls_scheduled;
ALTER TABLE calls DROP COLUMN deadline_is_default;
ALTER TABLE clients DROP COLUMN deleted_queues;
ALTER TABLE queues DROP COLUMN deleted_at;
ALTER TABLE queues DROP COLUMN canceled_at;
ALTER TABLE queues DROP COLUMN end_at;
ALTER TABLE queues DROP COLUMN start_at;
ALTER TABLE queues DROP COLUMN name;
