-- Which call records to which file. A file that is named after its call has no row.
CREATE TABLE recording_files (
  server_code TEXT NOT NULL,
  path        TEXT NOT NULL,
  call_id     UUID NOT NULL,
  PRIMARY KEY (server_code, path)
);
INSERT INTO recording_files (server_code, path, call_id)
  SELECT server_code, path, id FROM
    (SELECT server_code, plan::json -> 'recording' ->> 'path' AS path, id, created_at, position FROM calls
     WHERE plan LIKE '%"recording":{%') AS recorded
  WHERE path IS NOT NULL AND path NOT LIKE '%' || id::text || '.wav'
  ORDER BY created_at, position ON CONFLICT DO NOTHING;
