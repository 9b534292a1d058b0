-- id: 801
-- slug: trail-writable
-- level: error
-- title: The application may change the trail
-- controls: SOC 2 CC7.2, CC7.3
-- needs: trail app
-- why: Triggers refuse changes, and can be switched off; without the right there is nothing to refuse.
-- fix: REVOKE UPDATE, DELETE, TRUNCATE ON the trail FROM the role that has it.
-- sabotage:
--   GRANT UPDATE ON {trail} TO {app};
SELECT
    mine.label AS object, '' AS detail,
    pg_catalog.format('the application may %s events of %s', pg_catalog.lower(pg_catalog.string_agg(access.word, ', ' ORDER BY access.word)), mine.label) AS message
FROM mine
JOIN access ON access.oid = mine.oid AND access.word IN ('UPDATE', 'DELETE')
WHERE mine.scope = 'trail'
GROUP BY mine.label;
