-- Which destinations each client has called, and when it first called each: milliseconds since 1970.
CREATE TABLE client_destinations (
  client_id   BIGINT NOT NULL,
  destination TEXT NOT NULL,
  first_at    BIGINT NOT NULL,
  released    BOOLEAN NOT NULL,
  PRIMARY KEY (client_id, destination)
);
-- The brake of each client that has made an attempt. `calls` to new destinations began on `day` (UTC, in days since
-- 1970), and `day_limit` is how many of them were allowed when the client was braked. `version` changes with the brake and
-- with the destinations.
CREATE TABLE client_brakes (
  client_id   BIGINT PRIMARY KEY NOT NULL,
  learns_from BIGINT NOT NULL,
  braked_at   BIGINT,
  announced   BOOLEAN NOT NULL,
  day         INTEGER NOT NULL,
  calls       BIGINT NOT NULL,
  day_limit   INTEGER NOT NULL,
  version     BIGINT NOT NULL
);
ALTER TABLE calls ADD COLUMN braked BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX calls_braked ON calls (server_code, queue_id, due_at) WHERE status IN (1, 5) AND braked;
