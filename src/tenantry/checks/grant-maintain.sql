-- id: 604
-- slug: grant-maintain
-- level: warning
-- title: MAINTAIN
-- controls: SOC 2 CC6.3, A1.2
-- needs: app
-- since: 17
-- why: It allows VACUUM FULL and LOCK TABLE, which stop every tenant, and REFRESH of a materialized view, which then
--   holds the rows of whoever refreshed it.
-- fix: REVOKE MAINTAIN ON … FROM the role that has it.
-- sabotage:
--   GRANT MAINTAIN ON {table} TO {app};
SELECT rel.label AS object, '' AS detail, pg_catalog.format('the application may maintain %s', rel.label) AS message
FROM rel
JOIN access ON access.oid = rel.oid AND access.word = 'MAINTAIN' AND NOT access.owned
WHERE coalesce(rel.scope, '') <> 'ignored';
