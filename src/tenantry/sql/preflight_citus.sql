-- Tables that citus distributes.
-- Yields: schema, name.
SELECT n.nspname AS schema, c.relname AS name
FROM pg_catalog.pg_dist_partition AS d
JOIN pg_catalog.pg_class AS c ON c.oid = d.logicalrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY 1, 2;
