-- Row level security policies.
-- Yields: relation (oid), name, permissive, command, roles (empty: PUBLIC), using, check; by name.
SELECT
    p.polrelid AS relation,
    p.polname AS name,
    p.polpermissive AS permissive,
    CASE p.polcmd
        WHEN '*' THEN 'all' WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update' ELSE 'delete'
    END AS command,
    ARRAY(
        SELECT pg_catalog.pg_get_userbyid(r.oid) AS role
        FROM pg_catalog.unnest(p.polroles) AS r (oid)
        WHERE r.oid <> 0
        ORDER BY role
    ) AS roles,
    pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS using,
    pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS check
FROM pg_catalog.pg_policy AS p
ORDER BY p.polname, p.polrelid;
