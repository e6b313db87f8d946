-- How many legs a client called on a day (UTC, in days since 1970) through a server, and for how many seconds calls that
-- ended on that day were answered. The row of server '' is only locked.
CREATE TABLE client_days (
  client_id   BIGINT NOT NULL,
  server_code TEXT NOT NULL,
  day         INTEGER NOT NULL,
  calls       BIGINT NOT NULL,
  seconds     BIGINT NOT NULL,
  PRIMARY KEY (client_id, day, server_code)
);
CREATE INDEX client_days_by_day ON client_days (day);
