-- The clients, and what they may dial through which servers.
CREATE TABLE clients (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  name         TEXT NOT NULL UNIQUE,
  account_code TEXT NOT NULL,
  disabled     BOOLEAN NOT NULL DEFAULT FALSE,
  limits       TEXT NOT NULL, -- JSON
  policy       TEXT NOT NULL, -- JSON
  queues       BIGINT NOT NULL DEFAULT 0, -- the number of its queues, which is kept and never counted
  created_at   BIGINT NOT NULL, -- every time is in milliseconds since 1970-01-01T00:00:00Z
  updated_at   BIGINT NOT NULL
);

CREATE TABLE api_keys (
  id            TEXT PRIMARY KEY,
  client_id     BIGINT NOT NULL REFERENCES clients (id),
  secret_sha256 BLOB NOT NULL,
  created_at    BIGINT NOT NULL,
  expires_at    BIGINT,
  revoked_at    BIGINT,
  last_used_at  BIGINT
);
CREATE INDEX api_keys_of_client ON api_keys (client_id);

CREATE TABLE servers (
  code             TEXT PRIMARY KEY,
  host             TEXT NOT NULL,
  port             INTEGER NOT NULL,
  username         TEXT NOT NULL,
  secret           BLOB NOT NULL, -- encrypted
  tls              BOOLEAN NOT NULL,
  dial_template    TEXT NOT NULL,
  max_channels     INTEGER NOT NULL,
  calls_per_second DOUBLE PRECISION NOT NULL,
  recording_dirs   TEXT NOT NULL, -- JSON
  created_at       BIGINT NOT NULL,
  updated_at       BIGINT NOT NULL
);

CREATE TABLE grants (
  client_id   BIGINT NOT NULL REFERENCES clients (id),
  server_code TEXT NOT NULL REFERENCES servers (code),
  PRIMARY KEY (client_id, server_code)
);

-- The node that dials through a server at present. The epoch only rises, and a lane's write with an older one is
-- refused.
CREATE TABLE leases (
  server_code      TEXT PRIMARY KEY REFERENCES servers (code),
  node             TEXT NOT NULL,
  epoch            BIGINT NOT NULL,
  committed        BIGINT NOT NULL, -- the last group that the lane's journal committed in this epoch
  expires_at       BIGINT NOT NULL,
  status           SMALLINT NOT NULL,
  asterisk_version TEXT,
  last_error       TEXT
);

-- Queues and their calls. The counters are kept and never counted.
CREATE TABLE queues (
  id                  INTEGER PRIMARY KEY AUTOINCREMENT,
  client_id           BIGINT NOT NULL REFERENCES clients (id),
  kind                SMALLINT NOT NULL,
  status              SMALLINT NOT NULL,
  completed_by_client BOOLEAN NOT NULL DEFAULT FALSE,
  retry               BOOLEAN, -- NULL: each item's own rule applies
  retry_count         INTEGER,
  retry_gap           INTEGER NOT NULL,
  total_calls         BIGINT NOT NULL DEFAULT 0,
  queued              BIGINT NOT NULL DEFAULT 0,
  dialing             BIGINT NOT NULL DEFAULT 0,
  ringing             BIGINT NOT NULL DEFAULT 0,
  answered            BIGINT NOT NULL DEFAULT 0,
  retrying            BIGINT NOT NULL DEFAULT 0,
  completed           BIGINT NOT NULL DEFAULT 0,
  failed              BIGINT NOT NULL DEFAULT 0,
  expired             BIGINT NOT NULL DEFAULT 0,
  canceled            BIGINT NOT NULL DEFAULT 0,
  unknown             BIGINT NOT NULL DEFAULT 0,
  created_at          BIGINT NOT NULL,
  updated_at          BIGINT NOT NULL
);
CREATE INDEX queues_of_client ON queues (client_id, id);

-- How many calls of a queue wait for a server and how many are live. A lane reads this instead of scanning calls.
CREATE TABLE queue_lanes (
  queue_id    BIGINT NOT NULL REFERENCES queues (id),
  server_code TEXT NOT NULL REFERENCES servers (code),
  waiting     BIGINT NOT NULL,
  live        BIGINT NOT NULL,
  PRIMARY KEY (queue_id, server_code)
);
CREATE INDEX queue_lanes_with_work ON queue_lanes (server_code, queue_id) WHERE waiting > 0;

CREATE TABLE batches (
  client_id      BIGINT NOT NULL REFERENCES clients (id),
  batch_id       BIGINT NOT NULL,
  queue_id       BIGINT NOT NULL REFERENCES queues (id),
  content_sha256 BLOB NOT NULL,
  inserted_count INTEGER NOT NULL,
  warnings       TEXT NOT NULL, -- JSON
  created_at     BIGINT NOT NULL,
  PRIMARY KEY (client_id, batch_id)
);
CREATE INDEX batches_of_queue ON batches (queue_id, created_at);

-- Answers that are replayed for the same Idempotency-Key for 24 hours.
CREATE TABLE idempotency (
  client_id      BIGINT NOT NULL REFERENCES clients (id),
  key            TEXT NOT NULL,
  content_sha256 BLOB NOT NULL,
  call_id        BLOB NOT NULL,
  queue_id       BIGINT NOT NULL,
  created_at     BIGINT NOT NULL,
  PRIMARY KEY (client_id, key)
);

CREATE TABLE calls (
  id               BLOB PRIMARY KEY,
  client_id        BIGINT NOT NULL,
  queue_id         BIGINT NOT NULL REFERENCES queues (id),
  position         BIGINT NOT NULL, -- in its queue, from 1 and without gaps, so that any page is found at once
  batch_id         BIGINT,
  server_code      TEXT NOT NULL REFERENCES servers (code),
  status           SMALLINT NOT NULL,
  outcome          SMALLINT,
  attempts         INTEGER NOT NULL,
  max_retries      INTEGER NOT NULL,
  plan             TEXT NOT NULL, -- JSON: the Originate that Asterisk gets
  contact_number   BIGINT,
  project          TEXT,
  action_id        TEXT,
  channel_id       TEXT,
  did              TEXT,
  created_at       BIGINT NOT NULL,
  due_at           BIGINT NOT NULL,
  deadline         BIGINT,
  started_at       BIGINT,
  answered_at      BIGINT,
  ended_at         BIGINT,
  billable_seconds INTEGER,
  hangup_cause     SMALLINT,
  UNIQUE (queue_id, position)
);
-- The waiting calls in the order in which they are dialed. 1 is queued, 5 is retrying.
CREATE INDEX calls_waiting ON calls (server_code, queue_id, due_at, position) WHERE status IN (1, 5);
-- The calls that expire next, also while nothing can be dialed.
CREATE INDEX calls_by_deadline ON calls (server_code, deadline) WHERE status IN (1, 5) AND deadline IS NOT NULL;

-- One row for each attempt, written before its Originate is sent.
CREATE TABLE attempts (
  id           BLOB PRIMARY KEY,
  call_id      BLOB NOT NULL REFERENCES calls (id),
  number       INTEGER NOT NULL,
  epoch        BIGINT NOT NULL,
  server_code  TEXT NOT NULL,
  channel_id   TEXT NOT NULL,
  started_at   BIGINT NOT NULL,
  ringing_at   BIGINT,
  answered_at  BIGINT,
  ended_at     BIGINT,
  outcome      SMALLINT,
  hangup_cause SMALLINT,
  UNIQUE (call_id, number)
);
CREATE INDEX attempts_live ON attempts (server_code) WHERE ended_at IS NULL;

-- The event log. `seq` is the cursor of every stream, and rows become visible in the order of `seq`.
CREATE TABLE call_events (
  seq          INTEGER PRIMARY KEY AUTOINCREMENT,
  at           BIGINT NOT NULL,
  kind         SMALLINT NOT NULL,
  client_id    BIGINT NOT NULL,
  queue_id     BIGINT NOT NULL,
  call_id      BLOB,
  attempt      INTEGER,
  status       SMALLINT,
  outcome      SMALLINT,
  hangup_cause SMALLINT,
  detail       TEXT,
  count        INTEGER,
  batch_id     BIGINT
);
CREATE INDEX call_events_of_call ON call_events (call_id, seq) WHERE call_id IS NOT NULL;
