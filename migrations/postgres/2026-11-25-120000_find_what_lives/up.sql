-- Where calls live now, however many queues there ever were.
CREATE INDEX queue_lanes_live ON queue_lanes (server_code) WHERE live > 0;
