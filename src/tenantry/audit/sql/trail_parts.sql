-- The trail's own table and its partitions with their bounds.
SELECT c.oid::bigint, c.oid::bigint = %(relation)s, n.nspname, c.relname, pg_catalog.pg_get_expr(c.relpartbound, c.oid),
    c.relpersistence::text, pg_catalog.pg_get_userbyid(c.relowner)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = %(relation)s
    OR c.oid IN (SELECT i.relid FROM pg_catalog.pg_partition_tree(%(relation)s::oid::regclass) AS i)
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C";
