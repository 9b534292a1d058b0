-- id: 615
-- slug: backend-signals
-- level: warning
-- title: One tenant's session may end another's
-- controls: SOC 2 CC6.3, A1.2
-- needs: app
-- why: All tenants share the application's role, and a role may cancel and terminate its own sessions.
-- fix: REVOKE EXECUTE ON FUNCTION pg_terminate_backend, pg_cancel_backend FROM PUBLIC, in this database.
-- sabotage:
--   GRANT EXECUTE ON FUNCTION pg_catalog.pg_terminate_backend(integer, bigint) TO {app};
SELECT reach.who AS object, '' AS detail, pg_catalog.format('%s may end the sessions of %s', reach.who, pg_catalog.string_agg(reach.name, ', ' ORDER BY reach.name)) AS message
FROM reach
WHERE pg_catalog.has_function_privilege(reach.oid, 'pg_catalog.pg_terminate_backend(integer,bigint)', 'EXECUTE')
   OR pg_catalog.has_function_privilege(reach.oid, 'pg_catalog.pg_cancel_backend(integer)', 'EXECUTE')
GROUP BY reach.who;
