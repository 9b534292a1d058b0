-- Yields: name of each schema that is neither the system's nor Tenantry's own; by name.
SELECT n.nspname AS name
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname !~ '^(pg_.*|information_schema|tenantry)$'
ORDER BY n.nspname;
