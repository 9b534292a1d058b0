-- id: 806
-- slug: trail-forgeable
-- level: note
-- title: The application writes events as it likes
-- controls: SOC 2 CC7.2, CC7.3
-- needs: trail app
-- why: With INSERT on the trail it can make up events of its own tenant, and date them back.
-- fix: Let a trigger or a function write events, and REVOKE INSERT from the application.
-- sabotage:
--   GRANT INSERT ON {trail} TO {app};
SELECT mine.label AS object, '' AS detail, pg_catalog.format('the application may insert into %s', mine.label) AS message
FROM mine
JOIN access ON access.oid = mine.oid AND access.word = 'INSERT'
WHERE mine.scope = 'trail';
