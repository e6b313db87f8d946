ALTER TABLE servers DROP COLUMN numbering;
ALTER TABLE grants DROP COLUMN extensions;
