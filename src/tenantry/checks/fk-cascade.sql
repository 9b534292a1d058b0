-- id: 402
-- slug: fk-cascade
-- level: error
-- title: Deletes and updates that cascade across tenants
-- controls: SOC 2 CC6.1, PI1.5
-- needs: tenancy
-- why: Cascades run without policies. With a foreign key that does not name the tenant, a tenant that deletes its own
--   row deletes or changes rows of another.
-- fix: FOREIGN KEY (tenant_id, x_id) REFERENCES parent (tenant_id, id) ON DELETE ….
-- sabotage:
--   ALTER TABLE {child} ADD COLUMN sabotage {key_type} REFERENCES {table} ({key}) ON DELETE CASCADE;
SELECT
    child.label AS object, k.conname AS detail,
    pg_catalog.format('%s of %s passes deletes or updates of %s on to rows of any tenant', k.conname, child.label, parent.label) AS message
FROM pg_catalog.pg_constraint AS k
JOIN mine AS child ON child.oid = k.conrelid AND child.scope = 'tenant' AND child.col IS NOT NULL
JOIN mine AS parent ON parent.oid = k.confrelid AND parent.scope = 'tenant' AND parent.col IS NOT NULL
WHERE k.contype = 'f' AND k.conparentid = 0
  AND NOT (k.confdeltype IN ('a', 'r') AND k.confupdtype IN ('a', 'r'))
  AND NOT EXISTS (
      SELECT FROM ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey)) AS pair (here, there)
      WHERE pair.here = child.col AND pair.there = parent.col
  );
