-- id: 613
-- slug: grant-public
-- level: warning
-- title: Rights of everybody on tables of tenants
-- controls: SOC 2 CC6.3
-- needs: tenancy
-- why: Every login of the database has them, those of tools and people included; only the policies are left between
--   them and the rows.
-- fix: REVOKE ALL ON … FROM PUBLIC, and grant to the application's role.
-- sabotage:
--   GRANT SELECT ON {table} TO PUBLIC;
SELECT
    mine.label AS object, '' AS detail,
    pg_catalog.format('everybody may %s on %s', pg_catalog.lower(pg_catalog.string_agg(DISTINCT acl.privilege_type, ', ')), mine.label) AS message
FROM mine
JOIN pg_catalog.pg_class AS c ON c.oid = mine.oid
CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS acl
WHERE acl.grantee = 0
GROUP BY mine.label;
