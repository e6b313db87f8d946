-- The server that places the event's call; NULL in events of whole queues and in those that are older than this column.
ALTER TABLE call_events ADD COLUMN server_code TEXT;
-- What else the event says of its call or its queue, as JSON; NULL if nothing.
ALTER TABLE call_events ADD COLUMN facts TEXT;
