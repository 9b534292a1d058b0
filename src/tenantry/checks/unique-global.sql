-- id: 407
-- slug: unique-global
-- level: warning
-- title: A key that is unique across tenants
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: One tenant learns from the error that a value exists at another, and takes values that others then cannot use.
--   INSERT … ON CONFLICT shows the same without an error, and a key of an open transaction makes others wait.
-- fix: UNIQUE (tenant_id, …). Where it must stay global, say why in the spec, or in a comment on the constraint that
--   begins with "Unique across tenants:".
-- sabotage:
--   CREATE UNIQUE INDEX sabotage ON {table} (({key}::text));
SELECT
    mine.label AS object, c.relname AS detail,
    pg_catalog.format('%s on %s is unique across tenants', c.relname, mine.label) AS message
FROM mine
JOIN pg_catalog.pg_index AS i ON i.indrelid = mine.oid
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid AND NOT c.relispartition
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = i.indexrelid AND k.conrelid = mine.oid AND k.contype IN ('p', 'u')
WHERE mine.scope = 'tenant' AND i.indisunique AND NOT i.indisprimary AND NOT i.indisexclusion
  AND NOT mine.col = ANY (i.indkey::pg_catalog.int2[])
  AND NOT mine.kept ? c.relname
  AND coalesce(pg_catalog.obj_description(k.oid, 'pg_constraint'), '') NOT LIKE '%Unique across tenants:%'
  AND NOT EXISTS (
      -- A random id cannot be guessed.
      SELECT FROM pg_catalog.pg_attribute AS a
      WHERE a.attrelid = mine.oid AND a.attnum = ANY (i.indkey::pg_catalog.int2[])
        AND a.atttypid = 'pg_catalog.uuid'::pg_catalog.regtype
  );
