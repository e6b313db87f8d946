ALTER TABLE call_events DROP COLUMN facts;
ALTER TABLE call_events DROP COLUMN server_code;
