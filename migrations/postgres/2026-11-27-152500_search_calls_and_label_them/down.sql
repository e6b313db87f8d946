DROP TABLE queue_labels;
ALTER TABLE queues DROP COLUMN labels;
DROP INDEX calls_by_status_and_outcome;
DROP TABLE call_terms;
