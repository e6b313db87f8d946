-- What numbers mean on a server: its prefixes, its country, its service codes and its format, as JSON.
ALTER TABLE servers ADD COLUMN numbering TEXT NOT NULL DEFAULT '{}';
-- The extensions of a PBX that a client may dial on a server besides numbers: a JSON list of patterns.
ALTER TABLE grants ADD COLUMN extensions TEXT NOT NULL DEFAULT '[]';

-- Numbers on do-not-call lists are looked up without an international prefix. The entries with one stay for nodes that
-- run the previous version, and are removed together with those without.
INSERT INTO do_not_call (client_id, number, reason, added_at)
  SELECT client_id, substr(number, 3), reason, added_at FROM do_not_call
  WHERE number LIKE '00_%' AND number NOT LIKE '000%' ON CONFLICT DO NOTHING;
INSERT INTO do_not_call (client_id, number, reason, added_at)
  SELECT client_id, substr(number, 4), reason, added_at FROM do_not_call
  WHERE number LIKE '011_%' AND number NOT LIKE '0110%' ON CONFLICT DO NOTHING;
