-- id: 619
-- slug: parameter-replication-role
-- level: error
-- title: The application may switch triggers and foreign keys off
-- controls: SOC 2 CC6.3, CC8.1
-- needs: app
-- why: With session_replication_role = replica ordinary triggers and all foreign keys rest: rows refer to other
--   tenants, and the trail misses events.
-- fix: REVOKE SET ON PARAMETER session_replication_role FROM the role that has it; ENABLE ALWAYS TRIGGER on guards.
-- sabotage:
--   GRANT SET ON PARAMETER session_replication_role TO {app};
SELECT reach.who AS object, '' AS detail, pg_catalog.format('%s may set session_replication_role', reach.who) AS message
FROM reach
WHERE pg_catalog.has_parameter_privilege(reach.oid, 'session_replication_role', 'SET')
GROUP BY reach.who;
