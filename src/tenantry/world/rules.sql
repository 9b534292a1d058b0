-- What every new row of a table must satisfy by itself: CHECK constraints that are enforced, and the bounds of a
-- partition with those of all the tables that it is a partition of.
-- Yields: schema, table, name (empty for the bounds), expression; by table, then name.
-- Before PostgreSQL 18 there is no conenforced: the name in the LATERAL subquery then means the column of "before".
SELECT n.nspname AS schema, c.relname AS table, k.conname AS name, pg_catalog.pg_get_expr(k.conbin, k.conrelid) AS expression
FROM (VALUES (true)) AS before (conenforced)
CROSS JOIN LATERAL (SELECT conname, contype, conrelid, conbin, conenforced FROM pg_catalog.pg_constraint) AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE k.contype = 'c' AND k.conenforced AND n.nspname !~ '^(pg_.*|information_schema)$'
UNION ALL
SELECT n.nspname, c.relname, '', pg_catalog.pg_get_partition_constraintdef(c.oid)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relispartition AND c.relkind = 'r' AND n.nspname !~ '^(pg_.*|information_schema)$'
  AND pg_catalog.pg_get_partition_constraintdef(c.oid) IS NOT NULL
ORDER BY 1, 2, 3;
