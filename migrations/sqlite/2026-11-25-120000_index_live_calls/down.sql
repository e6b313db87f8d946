DROP INDEX queue_lanes_live;
