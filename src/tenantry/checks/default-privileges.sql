-- id: 611
-- slug: default-privileges
-- level: warning
-- title: Tables that will be made open to the application
-- controls: SOC 2 CC6.3, CC8.1
-- needs: app
-- why: A table that is made tomorrow gets these rights at once, and row level security only when somebody thinks of
--   it.
-- fix: ALTER DEFAULT PRIVILEGES … REVOKE ALL ON TABLES FROM it; grant with the policy.
-- sabotage:
--   ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {app};
SELECT
    pg_catalog.pg_get_userbyid(a.defaclrole) AS object,
    coalesce(n.nspname, '') AS detail,
    pg_catalog.format('tables that %s makes%s may at once be %s by %s', pg_catalog.pg_get_userbyid(a.defaclrole),
        ' in schema ' || n.nspname,
        pg_catalog.string_agg(DISTINCT w.participle, ', '),
        pg_catalog.string_agg(DISTINCT CASE acl.grantee WHEN 0 THEN 'everybody' ELSE pg_catalog.pg_get_userbyid(acl.grantee) END, ', ')) AS message
FROM pg_catalog.pg_default_acl AS a
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = a.defaclnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(a.defaclacl) AS acl
JOIN (
    VALUES ('SELECT', 'read'), ('INSERT', 'added to'), ('UPDATE', 'changed'), ('DELETE', 'deleted from'), ('TRUNCATE', 'truncated')
) AS w (word, participle) ON w.word = acl.privilege_type
WHERE a.defaclobjtype = 'r' AND (acl.grantee = 0 OR EXISTS (SELECT FROM reach WHERE reach.oid = acl.grantee))
GROUP BY a.defaclrole, n.nspname;
