-- Catalogs of extensions that take a table over, where they are installed.
-- Yields: schema, name of the catalog; by schema and name.
SELECT n.nspname AS schema, c.relname AS name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE (n.nspname, c.relname) IN (
    ('_timescaledb_catalog', 'hypertable'), ('pg_catalog', 'pg_dist_partition'), ('pglogical', 'replication_set_table')
)
OR (c.relname = 'part_config' AND EXISTS (
    SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'parent_table'
))
ORDER BY 1, 2;
