-- Tables that pglogical replicates.
-- Yields: schema, name.
SELECT n.nspname AS schema, c.relname AS name
FROM pglogical.replication_set_table AS d
JOIN pg_catalog.pg_class AS c ON c.oid = d.set_reloid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY 1, 2;
