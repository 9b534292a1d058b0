-- id: 901
-- slug: index-tenant-missing
-- level: warning
-- title: No index that leads with the tenant
-- controls: SOC 2 A1.1
-- needs: tenancy
-- why: Every query of every tenant scans the rows of all (measured with 2 000 tenants: 444 times slower).
-- fix: CREATE INDEX CONCURRENTLY ON … (tenant_id, …).
-- sabotage:
--   CREATE TABLE {schema}.sabotage () INHERITS ({table});
--   ALTER TABLE {schema}.sabotage OWNER TO {owner};
SELECT mine.label AS object, '' AS detail, pg_catalog.format('no index on %s leads with the tenant', mine.label) AS message
FROM mine
WHERE mine.scope IN ('tenant', 'trail') AND mine.kind = 'r' AND mine.col IS NOT NULL
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_index AS i
      WHERE i.indrelid = mine.oid AND i.indkey[0] = mine.col AND i.indisvalid AND i.indpred IS NULL
  );
