-- id: 603
-- slug: grant-trigger
-- level: error
-- title: TRIGGER
-- controls: SOC 2 CC6.3, CC6.8
-- needs: app
-- why: A trigger of one session's making runs for every tenant and sees every row that is written.
-- fix: REVOKE TRIGGER ON … FROM the role that has it.
-- sabotage:
--   GRANT TRIGGER ON {table} TO {app};
SELECT rel.label AS object, '' AS detail, pg_catalog.format('the application may put triggers on %s', rel.label) AS message
FROM rel
JOIN access ON access.oid = rel.oid AND access.word = 'TRIGGER' AND NOT access.owned
WHERE rel.kind IN ('r', 'p', 'v', 'f') AND coalesce(rel.scope, '') <> 'ignored';
