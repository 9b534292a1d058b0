-- The schemas of users: neither the system's nor Tenantry's own.
-- Yields: oid, name, owner; by name.
SELECT n.oid, n.nspname AS name, pg_catalog.pg_get_userbyid(n.nspowner) AS owner
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname !~ '^(pg_.*|information_schema|tenantry)$'
ORDER BY n.nspname;
