-- Who is a member of which role.
-- Yields: role, member, admin, inherit, set (the last two NULL before PostgreSQL 16, which has no such options).
SELECT
    r.rolname AS role, u.rolname AS member, pg_catalog.bool_or(m.admin_option) AS admin,
    pg_catalog.bool_or((pg_catalog.to_jsonb(m) ->> 'inherit_option')::boolean) AS inherit,
    pg_catalog.bool_or((pg_catalog.to_jsonb(m) ->> 'set_option')::boolean) AS set
FROM pg_catalog.pg_auth_members AS m
JOIN pg_catalog.pg_roles AS r ON r.oid = m.roleid
JOIN pg_catalog.pg_roles AS u ON u.oid = m.member
WHERE u.rolname !~ '^pg_'
GROUP BY r.rolname, u.rolname
ORDER BY r.rolname, u.rolname;
