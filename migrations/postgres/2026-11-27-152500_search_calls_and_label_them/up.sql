-- By what calls are found, one row for each: the code of the server (kind 1), the contact number (2), the project (3), the
-- client's own id of the call (4) and of its channel (5), and each label as `key:value` (6). Only the first is there for
-- every call. The rows are written when a call is inserted and not when it is dialed, unlike an index of calls, which
-- PostgreSQL writes again with every change of a call's status. Ids rise with the time, so that a range of this key is in
-- the order of the list. Calls that a node of the previous version inserts meanwhile are not found by it.
CREATE TABLE call_terms (
  kind      SMALLINT NOT NULL,
  value     TEXT NOT NULL,
  client_id BIGINT NOT NULL,
  call_id   UUID NOT NULL,
  PRIMARY KEY (kind, value, client_id, call_id)
);
INSERT INTO call_terms (kind, value, client_id, call_id)
  SELECT 1, server_code, client_id, id FROM calls ORDER BY server_code, client_id, id;
INSERT INTO call_terms (kind, value, client_id, call_id)
  SELECT 2, CAST(contact_number AS TEXT), client_id, id FROM calls WHERE contact_number IS NOT NULL;
INSERT INTO call_terms (kind, value, client_id, call_id)
  SELECT 3, project, client_id, id FROM calls WHERE project IS NOT NULL;
INSERT INTO call_terms (kind, value, client_id, call_id)
  SELECT 4, action_id, client_id, id FROM calls WHERE action_id IS NOT NULL;
INSERT INTO call_terms (kind, value, client_id, call_id)
  SELECT 5, plan::json ->> 'channel_id', client_id, id FROM calls
  WHERE plan LIKE '%"channel_id":"%' AND plan::json ->> 'channel_id' IS NOT NULL;

-- Live calls are few and are found through their attempts, so that their changes of status change no index here.
-- An index of NULLs would not be in the order of the ids for PostgreSQL.
CREATE INDEX calls_by_status_and_outcome ON calls (status, COALESCE(outcome, 0), client_id, id)
  WHERE status NOT IN (2, 3, 4);

-- The labels of a queue: JSON, and each as `key:value` to find its queues.
ALTER TABLE queues ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';
CREATE TABLE queue_labels (
  label     TEXT NOT NULL,
  client_id BIGINT NOT NULL,
  queue_id  BIGINT NOT NULL,
  PRIMARY KEY (label, client_id, queue_id)
);
