-- Roles of the cluster, the predefined ones left out, and what they are.
-- Yields: name, superuser, inherit, create_role, create_db, login, replication, bypass_rls; by name.
SELECT
    r.rolname AS name, r.rolsuper AS superuser, r.rolinherit AS inherit, r.rolcreaterole AS create_role,
    r.rolcreatedb AS create_db, r.rolcanlogin AS login, r.rolreplication AS replication, r.rolbypassrls AS bypass_rls
FROM pg_catalog.pg_roles AS r
WHERE r.rolname !~ '^pg_'
ORDER BY r.rolname;
