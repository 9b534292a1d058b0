-- id: 605
-- slug: grant-shared-write
-- level: error
-- title: A shared table that the application writes
-- controls: SOC 2 CC6.3, PI1.5
-- needs: app
-- why: Every tenant reads it. What one tenant writes there, or removes, all others see.
-- fix: REVOKE INSERT, UPDATE, DELETE ON … FROM the role that has it; change such tables as another role.
-- sabotage:
--   GRANT INSERT ON {shared} TO {app};
SELECT
    rel.label AS object, '' AS detail,
    pg_catalog.format('the application may %s on the shared table %s', pg_catalog.lower(pg_catalog.string_agg(access.word, ', ' ORDER BY access.word)), rel.label) AS message
FROM rel
JOIN access ON access.oid = rel.oid AND access.word IN ('INSERT', 'UPDATE', 'DELETE') AND NOT access.owned
WHERE rel.scope = 'shared'
GROUP BY rel.label;
