-- Who observe mode lets through: members of the role %(role)s, by whose grant, and whether that can be revoked here.
-- Since PostgreSQL 16 a membership may give nothing (as that of a role's creator); before, inherit_option in the
-- LATERAL subquery means the column of "before".
-- Yields: member, grantor, revocable; by member and grantor.
SELECT m.rolname AS member, g.rolname AS grantor, pg_catalog.pg_has_role(g.oid, 'USAGE') AS revocable
FROM (VALUES (true)) AS before (inherit_option)
CROSS JOIN LATERAL (SELECT member, roleid, grantor, inherit_option FROM pg_catalog.pg_auth_members) AS a
JOIN pg_catalog.pg_roles AS r ON r.oid = a.roleid
JOIN pg_catalog.pg_roles AS m ON m.oid = a.member
JOIN pg_catalog.pg_roles AS g ON g.oid = a.grantor
WHERE r.rolname = %(role)s AND a.inherit_option
ORDER BY 1, 2;
