-- Sequences, and the column that owns each: serial (deptype a) or identity (deptype i).
-- Yields: oid, schema, name, owner, relation (oid), table_schema, table, column (number), identity; by schema and name.
-- A sequence that no column owns has NULLs there.
SELECT
    c.oid,
    n.nspname AS schema,
    c.relname AS name,
    pg_catalog.pg_get_userbyid(c.relowner) AS owner,
    t.oid AS relation,
    tn.nspname AS table_schema,
    t.relname AS table,
    d.refobjsubid AS column,
    coalesce(d.deptype = 'i', false) AS identity
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend AS d
    ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0
    AND d.deptype IN ('a', 'i')
LEFT JOIN pg_catalog.pg_class AS t ON t.oid = d.refobjid
LEFT JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
WHERE c.relkind = 'S'
  AND n.nspname !~ '^(pg_.*|information_schema|tenantry)$'
ORDER BY n.nspname, c.relname;
