-- Names that a new table cannot have although no table, index of a table, view or sequence has them: those of types
-- (a table makes a type of its own name) and of indexes on materialized views.
-- Yields: schema, name; by schema and name.
SELECT n.nspname AS schema, taken.name
FROM (
    SELECT t.typnamespace AS namespace, t.typname AS name
    FROM pg_catalog.pg_type AS t
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
    WHERE t.typtype IN ('b', 'd', 'e', 'r', 'm') AND t.typelem = 0 OR c.relkind = 'c'
    UNION
    SELECT i.relnamespace, i.relname
    FROM pg_catalog.pg_index AS x
    JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
    JOIN pg_catalog.pg_class AS m ON m.oid = x.indrelid
    WHERE m.relkind = 'm'
) AS taken
JOIN pg_catalog.pg_namespace AS n ON n.oid = taken.namespace
WHERE n.nspname !~ '^(pg_.*|information_schema|tenantry)$'
ORDER BY n.nspname, taken.name;
