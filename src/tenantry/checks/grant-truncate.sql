-- id: 601
-- slug: grant-truncate
-- level: error
-- title: TRUNCATE
-- controls: SOC 2 CC6.3
-- needs: app
-- why: TRUNCATE asks no policy: it empties the table for every tenant. GRANT ALL gives it.
-- fix: REVOKE TRUNCATE ON … FROM the role that has it.
-- sabotage:
--   GRANT TRUNCATE ON {table} TO {app};
SELECT rel.label AS object, '' AS detail, pg_catalog.format('the application may truncate %s', rel.label) AS message
FROM rel
JOIN access ON access.oid = rel.oid AND access.word = 'TRUNCATE' AND NOT access.owned
WHERE rel.kind IN ('r', 'p', 'f') AND coalesce(rel.scope, '') <> 'ignored';
