-- What a queue is called, when it dials, and when its client canceled or deleted it; in milliseconds since 1970.
ALTER TABLE queues ADD COLUMN name TEXT;
ALTER TABLE queues ADD COLUMN start_at BIGINT;
ALTER TABLE queues ADD COLUMN end_at BIGINT;
ALTER TABLE queues ADD COLUMN canceled_at BIGINT;
ALTER TABLE queues ADD COLUMN deleted_at BIGINT;
-- How many of the client's queues are deleted, which lists leave out; it is kept and never counted.
ALTER TABLE clients ADD COLUMN deleted_queues BIGINT NOT NULL DEFAULT 0;
-- True if the deadline is a quick call's default, which holds only for its first attempt.
ALTER TABLE calls ADD COLUMN deadline_is_default BOOLEAN NOT NULL DEFAULT FALSE;
-- The calls whose own earliest time has not come, to count them.
CREATE INDEX calls_scheduled ON calls (server_code, queue_id, due_at)
  WHERE status = 1 AND NOT another_day AND NOT braked AND due_at > created_at;
