DROP TABLE client_days;
