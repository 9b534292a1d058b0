-- INVALID indexes that somebody else's build left: they cost every write and serve no query. Those that the plan itself
-- removes before it builds them again are left out.
-- Yields: level, object, message.
SELECT
    'warn' AS level,
    x.indexrelid::pg_catalog.regclass::pg_catalog.text AS object,
    'is an INVALID index on ' || x.indrelid::pg_catalog.regclass::pg_catalog.text
    || ', left by a build that broke off, or still being built; REINDEX INDEX CONCURRENTLY it, or drop it' AS message
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = i.relnamespace
WHERE x.indrelid = ANY (%(oids)s::pg_catalog.int8[]::pg_catalog.oid[])
  AND NOT x.indisvalid
  AND i.relkind = 'i'
  AND NOT EXISTS (
      SELECT FROM ROWS FROM (
          pg_catalog.unnest(%(built_schemas)s::pg_catalog.text[]),
          pg_catalog.unnest(%(built_names)s::pg_catalog.text[])
      ) AS built (schema, name)
      WHERE built.schema = n.nspname AND built.name = i.relname
  )
ORDER BY 2;
