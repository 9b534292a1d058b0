-- id: 620
-- slug: parameter-granted
-- level: warning
-- title: The application may change settings of the server
-- controls: SOC 2 CC6.3, CC8.1
-- needs: app
-- why: ALTER SYSTEM changes the server for everybody; a setting that is kept for superusers is kept for a reason.
-- fix: REVOKE ALL ON PARAMETER … FROM the role that has it.
-- sabotage:
--   GRANT ALTER SYSTEM ON PARAMETER work_mem TO {app};
SELECT
    p.parname AS object, '' AS detail,
    pg_catalog.format('the application has %s on parameter %s', pg_catalog.string_agg(DISTINCT acl.privilege_type, ', '), p.parname) AS message
FROM pg_catalog.pg_parameter_acl AS p
CROSS JOIN LATERAL pg_catalog.aclexplode(p.paracl) AS acl
WHERE p.parname <> 'session_replication_role'
  AND (acl.grantee = 0 OR EXISTS (SELECT FROM reach WHERE reach.oid = acl.grantee))
GROUP BY p.parname;
