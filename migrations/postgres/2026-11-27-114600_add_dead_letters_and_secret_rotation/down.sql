DROP TABLE dead_letters;
ALTER TABLE webhooks DROP COLUMN replay_requests;
ALTER TABLE webhooks DROP COLUMN failing_since;
ALTER TABLE webhooks DROP COLUMN failing_seq;
ALTER TABLE webhooks DROP COLUMN old_secret_until;
ALTER TABLE webhooks DROP COLUMN old_secret;
