-- 2 is the scope `write`: a key that exists keeps what it could do.
ALTER TABLE api_keys ADD COLUMN scope SMALLINT NOT NULL DEFAULT 2;
ALTER TABLE api_keys ADD COLUMN networks TEXT NOT NULL DEFAULT '[]'; -- JSON

CREATE TABLE admin_keys (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL UNIQUE, -- also of those that were revoked: the audit names keys by it
  secret_sha256 BYTEA NOT NULL,
  networks      TEXT NOT NULL, -- JSON
  created_at    BIGINT NOT NULL,
  expires_at    BIGINT,
  revoked_at    BIGINT,
  last_used_at  BIGINT
);
