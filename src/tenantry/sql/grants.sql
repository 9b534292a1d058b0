-- What was granted on schemas, tables, views and sequences. The owner's own privileges are left out, and
-- so are grants on single columns.
-- Yields: class (the catalog that oid belongs to), oid, role ('' for PUBLIC), privileges; by role.
WITH objects AS (
    SELECT 'schema' AS class, n.oid, n.nspowner AS owner, n.nspacl AS acl, n.nspname
    FROM pg_catalog.pg_namespace AS n
    UNION ALL
    SELECT 'relation', c.oid, c.relowner, c.relacl, n.nspname
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
)
SELECT
    o.class,
    o.oid,
    CASE g.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(g.grantee) END AS role,
    pg_catalog.array_agg(DISTINCT g.privilege_type ORDER BY g.privilege_type) AS privileges
FROM objects AS o
CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) AS g
WHERE o.nspname !~ '^(pg_.*|information_schema|tenantry)$'
  AND g.grantee <> o.owner
GROUP BY o.class, o.oid, g.grantee
ORDER BY role;
