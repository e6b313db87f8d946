-- Which call records to which file. A file that is named after its call has no row.
CREATE TABLE recording_files (
  server_code TEXT NOT NULL,
  path        TEXT NOT NULL,
  call_id     BLOB NOT NULL,
  PRIMARY KEY (server_code, path)
);
INSERT INTO recording_files (server_code, path, call_id)
  SELECT server_code, path, id FROM
    (SELECT server_code, json_extract(plan, '$.recording.path') AS path, id, created_at, position FROM calls
     WHERE plan LIKE '%"recording":{%')
  WHERE path IS NOT NULL AND replace(path, '-', '') NOT LIKE '%' || lower(hex(id)) || '.wav'
  ORDER BY created_at, position ON CONFLICT DO NOTHING;
