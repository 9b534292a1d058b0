-- Tables that a tenant policy guards, and whether observe mode still lets everything through there.
-- Yields: schema, name, watched; by schema and name.
SELECT n.nspname AS schema, c.relname AS name,
    EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid AND p.polname = 'observe') AS watched
FROM pg_catalog.pg_policy AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.polrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE i.polname = 'tenant_isolation' AND c.relrowsecurity AND c.relforcerowsecurity
ORDER BY 1, 2;
