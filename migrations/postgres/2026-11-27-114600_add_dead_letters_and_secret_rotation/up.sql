-- A webhook has two secrets for a while after a rotation.
ALTER TABLE webhooks ADD COLUMN old_secret BYTEA; -- encrypted; NULL without a rotation
ALTER TABLE webhooks ADD COLUMN old_secret_until BIGINT NOT NULL DEFAULT 0; -- it signs until then
ALTER TABLE webhooks ADD COLUMN failing_seq BIGINT; -- the event that is being tried again
ALTER TABLE webhooks ADD COLUMN failing_since BIGINT; -- when its first try failed
ALTER TABLE webhooks ADD COLUMN replay_requests BIGINT NOT NULL DEFAULT 0; -- rises, so that the node that delivers sees it

CREATE TABLE dead_letters (
  webhook_id      BIGINT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  seq             BIGINT NOT NULL, -- of the event
  first_failed_at BIGINT NOT NULL,
  died_at         BIGINT NOT NULL,
  last_error      TEXT NOT NULL,
  replaying       BOOLEAN NOT NULL DEFAULT FALSE, -- to be posted once more
  PRIMARY KEY (webhook_id, seq)
);
CREATE INDEX dead_letters_to_replay ON dead_letters (webhook_id, seq) WHERE replaying;
