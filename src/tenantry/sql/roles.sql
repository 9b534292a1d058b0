-- Roles of the cluster, the predefined ones left out.
-- Yields: name, superuser, bypass_rls, login, create_role, create_db, replication, inherit, member_of (every role
-- reached through memberships, predefined ones too); by name.
-- Since PostgreSQL 16 a membership may give neither SET nor INHERIT, and then leads nowhere; before, the names in
-- the LATERAL subquery mean the columns of "before". The database's owner is in pg_database_owner without a row.
WITH RECURSIVE memberships AS (
    SELECT m.member, m.roleid
    FROM (VALUES (true, true)) AS before (set_option, inherit_option)
    CROSS JOIN LATERAL (SELECT member, roleid, set_option, inherit_option FROM pg_catalog.pg_auth_members) AS m
    WHERE m.set_option OR m.inherit_option
    UNION
    SELECT d.datdba, r.oid
    FROM pg_catalog.pg_database AS d
    JOIN pg_catalog.pg_roles AS r ON r.rolname = 'pg_database_owner'
    WHERE d.datname = pg_catalog.current_database()
), reached AS (
    SELECT member, roleid FROM memberships
    UNION
    SELECT reached.member, m.roleid
    FROM reached
    JOIN memberships AS m ON m.member = reached.roleid
), named AS (
    SELECT reached.member, pg_catalog.array_agg(r.rolname ORDER BY r.rolname) AS member_of
    FROM reached
    JOIN pg_catalog.pg_roles AS r ON r.oid = reached.roleid
    GROUP BY reached.member
)
SELECT
    r.rolname AS name,
    r.rolsuper AS superuser,
    r.rolbypassrls AS bypass_rls,
    r.rolcanlogin AS login,
    r.rolcreaterole AS create_role,
    r.rolcreatedb AS create_db,
    r.rolreplication AS replication,
    r.rolinherit AS inherit,
    coalesce(named.member_of, '{}') AS member_of
FROM pg_catalog.pg_roles AS r
LEFT JOIN named ON named.member = r.oid
WHERE r.rolname !~ '^pg_'
ORDER BY r.rolname;
