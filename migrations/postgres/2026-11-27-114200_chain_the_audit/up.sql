-- The audit's entries are a chain from here on: the hash of each covers its content and the hash of the entry before it.
-- All of these columns are NULL in entries of earlier versions, which an entry of the chain covers together.
ALTER TABLE audit ADD COLUMN seq BIGINT; -- the number in the chain, from 1 and without gaps
ALTER TABLE audit ADD COLUMN "before" TEXT; -- JSON: the changed fields as they were
ALTER TABLE audit ADD COLUMN "after" TEXT; -- JSON: the changed fields as they are since then
ALTER TABLE audit ADD COLUMN previous_hash TEXT; -- hexadecimal, as is the next one
ALTER TABLE audit ADD COLUMN hash TEXT;
CREATE UNIQUE INDEX audit_by_seq ON audit (seq);
CREATE INDEX audit_unchained ON audit (id) WHERE seq IS NULL;

-- The end of the chain: one row, whose lock also puts the writers of the audit in order.
CREATE TABLE audit_head (
  id          SMALLINT PRIMARY KEY CHECK (id = 1),
  seq         BIGINT NOT NULL, -- of the last entry; 0: there is none
  hash        TEXT NOT NULL,
  anchored_id BIGINT NOT NULL -- the id up to which entries without a hash are covered
);
INSERT INTO audit_head VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000', 0);

-- Entries are only added.
CREATE FUNCTION refuse_change_of_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'entries of the audit are never changed or deleted';
END
$$;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE OR DELETE ON audit
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_audit();
CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit();
CREATE TRIGGER audit_head_never_goes_back BEFORE UPDATE ON audit_head
  FOR EACH ROW WHEN (NEW.seq < OLD.seq) EXECUTE FUNCTION refuse_change_of_audit();
CREATE TRIGGER audit_head_is_never_deleted BEFORE DELETE ON audit_head
  FOR EACH ROW EXECUTE FUNCTION refuse_change_of_audit();
CREATE TRIGGER audit_head_is_never_emptied BEFORE TRUNCATE ON audit_head
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit();
