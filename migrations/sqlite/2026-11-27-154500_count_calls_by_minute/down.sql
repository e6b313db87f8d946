DROP TABLE statistics_cursor;
DROP TABLE live_minutes;
DROP TABLE call_hours;
DROP TABLE call_minutes;
