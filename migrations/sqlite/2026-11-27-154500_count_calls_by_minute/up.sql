-- What became of calls, by minute and by hour, counted from the event log by one follower. Delays are those between an
-- Originate and the ringing: how many attempts fell into each of twelve ranges.
CREATE TABLE call_minutes (
  minute          BIGINT NOT NULL,
  client_id       BIGINT NOT NULL,
  queue_id        BIGINT NOT NULL, -- 0 for quick calls, each of which has a queue of its own
  server_code     TEXT NOT NULL,
  trunk           TEXT NOT NULL,
  project         TEXT NOT NULL,
  outcome         SMALLINT NOT NULL, -- 0 for what has begun and not ended
  hangup_cause    SMALLINT NOT NULL, -- -1 for none
  calls           BIGINT NOT NULL, -- whose first attempt began
  attempts        BIGINT NOT NULL, -- that began
  ended_attempts  BIGINT NOT NULL,
  answered        BIGINT NOT NULL, -- attempts that ended after an answer
  ended_calls     BIGINT NOT NULL,
  billable_seconds BIGINT NOT NULL,
  delays_0        BIGINT NOT NULL,
  delays_1        BIGINT NOT NULL,
  delays_2        BIGINT NOT NULL,
  delays_3        BIGINT NOT NULL,
  delays_4        BIGINT NOT NULL,
  delays_5        BIGINT NOT NULL,
  delays_6        BIGINT NOT NULL,
  delays_7        BIGINT NOT NULL,
  delays_8        BIGINT NOT NULL,
  delays_9        BIGINT NOT NULL,
  delays_10        BIGINT NOT NULL,
  delays_11        BIGINT NOT NULL,
  PRIMARY KEY (minute, client_id, queue_id, server_code, trunk, project, outcome, hangup_cause)
) WITHOUT ROWID;
CREATE INDEX call_minutes_of_client ON call_minutes (client_id, minute);

CREATE TABLE call_hours (
  hour            BIGINT NOT NULL,
  client_id       BIGINT NOT NULL,
  queue_id        BIGINT NOT NULL, -- 0 for quick calls, each of which has a queue of its own
  server_code     TEXT NOT NULL,
  trunk           TEXT NOT NULL,
  project         TEXT NOT NULL,
  outcome         SMALLINT NOT NULL, -- 0 for what has begun and not ended
  hangup_cause    SMALLINT NOT NULL, -- -1 for none
  calls           BIGINT NOT NULL, -- whose first attempt began
  attempts        BIGINT NOT NULL, -- that began
  ended_attempts  BIGINT NOT NULL,
  answered        BIGINT NOT NULL, -- attempts that ended after an answer
  ended_calls     BIGINT NOT NULL,
  billable_seconds BIGINT NOT NULL,
  delays_0        BIGINT NOT NULL,
  delays_1        BIGINT NOT NULL,
  delays_2        BIGINT NOT NULL,
  delays_3        BIGINT NOT NULL,
  delays_4        BIGINT NOT NULL,
  delays_5        BIGINT NOT NULL,
  delays_6        BIGINT NOT NULL,
  delays_7        BIGINT NOT NULL,
  delays_8        BIGINT NOT NULL,
  delays_9        BIGINT NOT NULL,
  delays_10        BIGINT NOT NULL,
  delays_11        BIGINT NOT NULL,
  PRIMARY KEY (hour, client_id, queue_id, server_code, trunk, project, outcome, hangup_cause)
) WITHOUT ROWID;
CREATE INDEX call_hours_of_client ON call_hours (client_id, hour);

-- The largest number of live calls that was seen in a minute, once a second. A row without a client, a queue or a server
-- has those of all of them together.
CREATE TABLE live_minutes (
  minute      BIGINT NOT NULL,
  client_id   BIGINT NOT NULL,
  queue_id    BIGINT NOT NULL,
  server_code TEXT NOT NULL,
  peak        BIGINT NOT NULL,
  PRIMARY KEY (minute, client_id, queue_id, server_code)
) WITHOUT ROWID;

-- The number of the last event that was counted, and the node that counts.
CREATE TABLE statistics_cursor (
  id      INTEGER PRIMARY KEY,
  seq     BIGINT NOT NULL,
  node    TEXT NOT NULL,
  seen_at BIGINT NOT NULL
);
INSERT INTO statistics_cursor (id, seq, node, seen_at) VALUES (1, 0, '', 0);
