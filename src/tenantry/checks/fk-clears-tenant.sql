-- id: 403
-- slug: fk-clears-tenant
-- level: warning
-- title: A foreign key that clears the tenant with the reference
-- controls: SOC 2 PI1.5
-- needs: tenancy
-- why: ON DELETE SET NULL or SET DEFAULT without a column list changes the tenant column too. The delete fails, or
--   the row leaves its tenant.
-- fix: ON DELETE SET NULL (x_id), from PostgreSQL 15.
-- sabotage:
--   ALTER TABLE {child} ADD COLUMN sabotage {key_type};
--   ALTER TABLE {child} ADD CONSTRAINT sabotage FOREIGN KEY ({column}, sabotage) REFERENCES {table} ({column}, {key}) ON DELETE SET NULL;
SELECT
    child.label AS object, k.conname AS detail,
    pg_catalog.format('%s of %s also changes the tenant column when the row it refers to goes', k.conname, child.label) AS message
FROM pg_catalog.pg_constraint AS k
JOIN mine AS child ON child.oid = k.conrelid
WHERE k.contype = 'f' AND k.conparentid = 0 AND child.col = ANY (k.conkey)
  AND (
      k.confdeltype IN ('n', 'd') AND (k.confdelsetcols IS NULL OR child.col = ANY (k.confdelsetcols))
      OR k.confupdtype IN ('n', 'd')
  );
