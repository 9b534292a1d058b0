-- The tables whose FORCE ROW LEVEL SECURITY binds this role although it owns them; none for a role that bypasses.
-- Yields: schema, name.
SELECT n.nspname::text, c.relname::text
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles AS r ON r.rolname = current_user
WHERE c.relrowsecurity AND c.relforcerowsecurity AND c.relkind IN ('r', 'p')
    AND pg_catalog.pg_has_role(c.relowner, 'USAGE') AND NOT r.rolsuper AND NOT r.rolbypassrls
ORDER BY n.nspname, c.relname;
