-- What was granted on schemas, tables, views and sequences, and on single columns. The owner's own privileges are
-- left out.
-- Yields: class (the catalog that oid belongs to; column for a grant on one), oid, role ('' for PUBLIC), privileges,
-- column ('' for the whole); by role and column.
WITH objects AS (
    SELECT 'schema' AS class, n.oid, n.nspowner AS owner, n.nspacl AS acl, n.nspname, ''::pg_catalog.name AS attname
    FROM pg_catalog.pg_namespace AS n
    UNION ALL
    SELECT 'relation', c.oid, c.relowner, c.relacl, n.nspname, ''
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
    UNION ALL
    SELECT 'column', c.oid, c.relowner, a.attacl, n.nspname, a.attname
    FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
)
SELECT
    o.class,
    o.oid,
    CASE g.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(g.grantee) END AS role,
    pg_catalog.array_agg(DISTINCT g.privilege_type ORDER BY g.privilege_type) AS privileges,
    o.attname AS column
FROM objects AS o
CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) AS g
WHERE o.nspname !~ '^(pg_.*|information_schema|tenantry)$'
  AND g.grantee <> o.owner
GROUP BY o.class, o.oid, o.attname, g.grantee
ORDER BY role, o.attname;
