-- Policies that apply to a role. Parameter: role.
-- Yields: schema, table, name, enabled (row level security is on), permissive, text (of both expressions), columns (of the table
-- itself that they name), reads (JSON: schema, table and column of others); by table and name.
SELECT
    n.nspname AS schema,
    c.relname AS table,
    p.polname AS name,
    c.relrowsecurity AS enabled,
    p.polpermissive AS permissive,
    pg_catalog.concat_ws(
        ' ; ', pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
    ) AS text,
    ARRAY(
        SELECT a.attname
        FROM pg_catalog.pg_depend AS d
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = p.oid
          AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          AND d.refobjid = p.polrelid AND d.refobjsubid > 0
        ORDER BY a.attnum
    ) AS columns,
    ARRAY(
        SELECT pg_catalog.jsonb_build_array(s.nspname, r.relname, coalesce(a.attname, ''))
        FROM pg_catalog.pg_depend AS d
        JOIN pg_catalog.pg_class AS r ON r.oid = d.refobjid
        JOIN pg_catalog.pg_namespace AS s ON s.oid = r.relnamespace
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attnum > 0
        WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = p.oid
          AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> p.polrelid
        ORDER BY s.nspname, r.relname, a.attnum
    ) AS reads
FROM pg_catalog.pg_policy AS p
JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE EXISTS (
    SELECT FROM pg_catalog.unnest(p.polroles) AS r (oid)
    WHERE CASE r.oid WHEN 0 THEN true ELSE pg_catalog.pg_has_role(%(role)s, r.oid, 'USAGE') END
)
ORDER BY n.nspname, c.relname, p.polname;
