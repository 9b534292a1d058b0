-- The type of each column of each table.
-- Yields: schema, table, column, type (oid); by position.
SELECT n.nspname AS schema, c.relname AS table, a.attname AS column, a.atttypid AS type
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p')
  AND n.nspname !~ '^(pg_.*|information_schema)$'
  AND a.attnum > 0
  AND NOT a.attisdropped
ORDER BY c.oid, a.attnum;
