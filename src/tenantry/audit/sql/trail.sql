-- The trail as the catalog has it; one row, none when there is no such table.
SELECT c.oid::bigint, pg_catalog.pg_get_userbyid(c.relowner), c.relpersistence::text, c.relkind::text,
    c.relrowsecurity,
    pg_catalog.has_table_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND c.relkind IN ('r', 'p');
