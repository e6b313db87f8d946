-- How a queue's calls are paced and tried again, and when they may be dialed.
ALTER TABLE queues ADD COLUMN number BIGINT NOT NULL DEFAULT 0; -- among its client's queues, from 1 and without gaps
ALTER TABLE queues ADD COLUMN priority INTEGER NOT NULL DEFAULT 5;
ALTER TABLE queues ADD COLUMN weight INTEGER NOT NULL DEFAULT 1;
ALTER TABLE queues ADD COLUMN max_live_calls INTEGER;
ALTER TABLE queues ADD COLUMN calls_per_second DOUBLE PRECISION;
ALTER TABLE queues ADD COLUMN retry_rules TEXT NOT NULL DEFAULT '[]'; -- JSON
ALTER TABLE queues ADD COLUMN windows TEXT; -- JSON; NULL: always open
ALTER TABLE queues ADD COLUMN at_least_once BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE queues SET number = (SELECT COUNT(*) FROM queues AS q WHERE q.client_id = queues.client_id AND q.id <= queues.id);
CREATE UNIQUE INDEX queues_by_number ON queues (client_id, number);
CREATE INDEX queues_by_kind ON queues (client_id, kind, number);
CREATE INDEX queues_by_status ON queues (client_id, status, number);
-- The number of a client's waiting calls is the sum over these few queues. If it were kept in one row, all lanes would
-- wait for that row's lock.
CREATE INDEX queues_with_waiting ON queues (client_id) WHERE queued + retrying > 0;

-- The time zone of the person called, or '' if the call has none; and whether the call waits for another day because
-- its number has reached its limit on this one.
ALTER TABLE calls ADD COLUMN time_zone TEXT NOT NULL DEFAULT '';
ALTER TABLE calls ADD COLUMN another_day BOOLEAN NOT NULL DEFAULT FALSE;
-- By time zone first, so that calls whose window is closed are not read.
DROP INDEX calls_waiting;
CREATE INDEX calls_waiting ON calls (server_code, queue_id, time_zone, due_at, position) WHERE status IN (1, 5);
CREATE INDEX calls_of_another_day ON calls (server_code, queue_id, due_at) WHERE status IN (1, 5) AND another_day;
-- How often a call's attempts ended with each outcome that another try may follow. Each has eight bits; from the
-- lowest: busy, no answer, congestion, failed, unknown.
ALTER TABLE calls ADD COLUMN tally BIGINT NOT NULL DEFAULT 0;
UPDATE calls SET tally = (SELECT COALESCE(SUM(CASE outcome WHEN 2 THEN 1 WHEN 3 THEN 256 WHEN 4 THEN 65536
  WHEN 7 THEN 16777216 WHEN 10 THEN 4294967296 ELSE 0 END), 0) FROM attempts WHERE attempts.call_id = calls.id)
  WHERE attempts > 0;

-- For filtered lists of calls. Live calls are few and are found through their attempts, so that a live call's changes
-- of status change no index.
CREATE INDEX calls_by_status ON calls (queue_id, status, position) WHERE status NOT IN (2, 3, 4);
CREATE INDEX calls_by_outcome ON calls (queue_id, outcome, position) WHERE outcome IS NOT NULL;
CREATE INDEX calls_by_contact ON calls (queue_id, contact_number, position) WHERE contact_number IS NOT NULL;

-- The position before a batch in its queue: its calls are the `inserted_count` that follow.
ALTER TABLE batches ADD COLUMN position BIGINT NOT NULL DEFAULT 0;
UPDATE batches SET position = first.position FROM (SELECT client_id, batch_id, MIN(position) - 1 AS position FROM calls
  WHERE batch_id IS NOT NULL GROUP BY client_id, batch_id) AS first
  WHERE batches.client_id = first.client_id AND batches.batch_id = first.batch_id;

-- How many of the waiting calls wait for a further try.
ALTER TABLE queue_lanes ADD COLUMN retrying BIGINT NOT NULL DEFAULT 0;
UPDATE queue_lanes SET retrying = (SELECT COUNT(*) FROM calls WHERE calls.queue_id = queue_lanes.queue_id
  AND calls.server_code = queue_lanes.server_code AND calls.status = 5);

-- Why calls of a lane wait at present, written by its owner: JSON.
ALTER TABLE leases ADD COLUMN held TEXT;

-- The limits of servers and grants.
ALTER TABLE servers ADD COLUMN trunks TEXT NOT NULL DEFAULT '[]'; -- JSON
-- A removed server keeps its name, without its secret, because past calls refer to it.
ALTER TABLE servers ADD COLUMN removed_at BIGINT;
ALTER TABLE grants ADD COLUMN max_live_calls INTEGER;
ALTER TABLE grants ADD COLUMN calls_per_second DOUBLE PRECISION;

-- The processes that share the store.
CREATE TABLE nodes (
  name       TEXT PRIMARY KEY,
  version    TEXT NOT NULL,
  started_at BIGINT NOT NULL,
  seen_at    BIGINT NOT NULL,
  draining   BOOLEAN NOT NULL DEFAULT FALSE
);

-- The settings of the platform, such as `kill_switch` and `platform_policy`: JSON.
CREATE TABLE settings (
  name       TEXT PRIMARY KEY,
  value      TEXT NOT NULL,
  changed_at BIGINT NOT NULL
);

-- The audit: who changed what. Rows are only added.
CREATE TABLE audit (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  at             BIGINT NOT NULL,
  actor          TEXT NOT NULL, -- a key id
  action         TEXT NOT NULL, -- a method
  target         TEXT NOT NULL, -- such as servers/server1
  remote_address TEXT,
  request_id     TEXT NOT NULL,
  detail         TEXT NOT NULL -- JSON, without secrets
);

-- Clients' requests to end live calls. The lane that owns the call reads and deletes them. 1: cancel, 2: hang up.
CREATE TABLE call_commands (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  server_code TEXT NOT NULL,
  call_id     BLOB NOT NULL,
  kind        SMALLINT NOT NULL,
  created_at  BIGINT NOT NULL
);
CREATE INDEX call_commands_of_lane ON call_commands (server_code, id);

-- Numbers, as digits, that must not be called for any client (client 0) or for one client.
CREATE TABLE do_not_call (
  client_id BIGINT NOT NULL,
  number    TEXT NOT NULL,
  reason    TEXT,
  added_at  BIGINT NOT NULL,
  PRIMARY KEY (client_id, number)
);

-- How often a client called a number on a day (UTC, in days since 1970), if that is limited.
CREATE TABLE destination_days (
  client_id BIGINT NOT NULL,
  number    TEXT NOT NULL,
  day       INTEGER NOT NULL,
  calls     INTEGER NOT NULL,
  PRIMARY KEY (client_id, number, day)
);
CREATE INDEX destination_days_by_day ON destination_days (day);

-- How many items of a stream are stored.
CREATE TABLE item_streams (
  client_id  BIGINT NOT NULL REFERENCES clients (id),
  stream_id  TEXT NOT NULL,
  queue_id   BIGINT NOT NULL REFERENCES queues (id),
  stored     BIGINT NOT NULL,
  connection BIGINT NOT NULL, -- the one that may add to it: the last that began
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (client_id, stream_id)
);

-- The URLs to which a client's events are posted.
CREATE TABLE webhooks (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  client_id     BIGINT NOT NULL REFERENCES clients (id),
  url           TEXT NOT NULL,
  secret        BLOB NOT NULL, -- encrypted
  events        TEXT NOT NULL, -- JSON: the codes of event kinds; [] means all
  created_at    BIGINT NOT NULL,
  delivered_seq BIGINT NOT NULL, -- the cursor: the `seq` up to which events are delivered
  delivered_at  BIGINT,
  failures      INTEGER NOT NULL DEFAULT 0,
  next_try_at   BIGINT NOT NULL DEFAULT 0,
  last_error    TEXT,
  disabled      BOOLEAN NOT NULL DEFAULT FALSE, -- its receiver has answered 410
  lease_node    TEXT, -- the node that delivers
  lease_epoch   BIGINT NOT NULL DEFAULT 0, -- rises with every owner
  lease_until   BIGINT NOT NULL DEFAULT 0 -- another node may take it after this
);
CREATE INDEX webhooks_of_client ON webhooks (client_id);
