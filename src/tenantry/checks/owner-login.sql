-- id: 111
-- slug: owner-login
-- level: warning
-- title: The owner of the tables can log in
-- controls: SOC 2 CC6.1, CC8.1
-- needs: tenancy
-- why: Every session of the owner can switch row level security off, on purpose or by a statement that slipped in.
-- fix: ALTER TABLE … OWNER TO a NOLOGIN role; make changes as a role that takes it on for the occasion.
-- sabotage:
--   ALTER ROLE {owner} LOGIN;
SELECT
    r.rolname AS object, '' AS detail,
    pg_catalog.format(
        '%s can log in and owns %s', r.rolname,
        CASE WHEN pg_catalog.count(*) > 5 THEN pg_catalog.count(*) || ' tables of tenants'
             ELSE pg_catalog.string_agg(mine.label, ', ' ORDER BY mine.label) END
    ) AS message
FROM mine
JOIN pg_catalog.pg_roles AS r ON r.oid = mine.owner
WHERE r.rolcanlogin AND NOT EXISTS (SELECT FROM reach WHERE reach.oid = r.oid)
GROUP BY r.rolname;
