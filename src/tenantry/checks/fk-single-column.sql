-- id: 401
-- slug: fk-single-column
-- level: error
-- title: A foreign key between tenants' tables that does not name the tenant
-- controls: SOC 2 CC6.1, PI1.5
-- needs: tenancy
-- why: Foreign keys are checked without policies. A row can refer to another tenant's row: that tells whether an id
--   exists there, and keeps its owner from deleting it.
-- fix: FOREIGN KEY (tenant_id, x_id) REFERENCES parent (tenant_id, id).
-- sabotage:
--   ALTER TABLE {child} ADD COLUMN sabotage {key_type} REFERENCES {table} ({key});
SELECT
    child.label AS object, k.conname AS detail,
    pg_catalog.format('%s of %s refers to %s without the tenant', k.conname, child.label, parent.label) AS message
FROM pg_catalog.pg_constraint AS k
JOIN mine AS child ON child.oid = k.conrelid AND child.scope = 'tenant' AND child.col IS NOT NULL
JOIN mine AS parent ON parent.oid = k.confrelid AND parent.scope = 'tenant' AND parent.col IS NOT NULL
WHERE k.contype = 'f' AND k.conparentid = 0
  AND k.confdeltype IN ('a', 'r') AND k.confupdtype IN ('a', 'r')
  AND NOT EXISTS (
      SELECT FROM ROWS FROM (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey)) AS pair (here, there)
      WHERE pair.here = child.col AND pair.there = parent.col
  );
