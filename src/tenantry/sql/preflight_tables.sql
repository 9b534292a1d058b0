-- The tables of a plan that are there, by the names given, with their partitions and children.
-- Yields: oid, part (a partition or child, or a table that has some); by oid.
WITH RECURSIVE found AS (
    SELECT c.oid
    FROM ROWS FROM (
        pg_catalog.unnest(%(schemas)s::pg_catalog.text[]), pg_catalog.unnest(%(names)s::pg_catalog.text[])
    ) AS wanted (schema, name)
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = wanted.schema
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = wanted.name
    WHERE c.relkind IN ('r', 'p')
    UNION
    SELECT i.inhrelid
    FROM found
    JOIN pg_catalog.pg_inherits AS i ON i.inhparent = found.oid
)
SELECT
    found.oid,
    EXISTS (
        SELECT FROM pg_catalog.pg_inherits AS i WHERE found.oid IN (i.inhparent, i.inhrelid)
    ) AS part
FROM found
ORDER BY found.oid;
