-- id: 408
-- slug: unique-kept
-- level: note
-- title: A key that stays unique across tenants on purpose
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: The reason is on record. What remains: a tenant can learn that a value is taken.
-- fix: Look at the reason again from time to time.
-- sabotage:
--   ALTER TABLE {table} ADD CONSTRAINT sabotage UNIQUE ({key});
--   COMMENT ON CONSTRAINT sabotage ON {table} IS 'Unique across tenants: for a test';
SELECT
    mine.label AS object, c.relname AS detail,
    pg_catalog.format(
        '%s on %s is unique across tenants on purpose%s', c.relname, mine.label,
        ': ' || pg_catalog.substring(pg_catalog.obj_description(k.oid, 'pg_constraint'), 'Unique across tenants: ([^\n]*)')
    ) AS message
FROM mine
JOIN pg_catalog.pg_index AS i ON i.indrelid = mine.oid
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid AND NOT c.relispartition
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = i.indexrelid AND k.conrelid = mine.oid AND k.contype IN ('p', 'u')
WHERE mine.scope = 'tenant' AND i.indisunique AND NOT i.indisprimary AND NOT i.indisexclusion
  AND NOT mine.col = ANY (i.indkey::pg_catalog.int2[])
  AND (
      mine.kept ? c.relname
      OR pg_catalog.obj_description(k.oid, 'pg_constraint') LIKE '%Unique across tenants:%'
  );
