-- The queues with live calls, so that a read does not depend on how many queues there ever were.
CREATE INDEX queue_lanes_live ON queue_lanes (server_code) WHERE live > 0;
