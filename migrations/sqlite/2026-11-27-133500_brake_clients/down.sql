DROP INDEX calls_braked;
ALTER TABLE calls DROP COLUMN braked;
DROP TABLE client_brakes;
DROP TABLE client_destinations;
