-- id: 505
-- slug: user-mapping
-- level: note
-- title: The application is somebody on another server
-- controls: SOC 2 CC6.6
-- needs: app
-- why: What it may do there is decided there, and nothing of it was looked at.
-- fix: Map it to a role that policies bind, or drop the mapping.
-- sabotage:
--   CREATE FOREIGN DATA WRAPPER sabotage;
--   CREATE SERVER sabotage FOREIGN DATA WRAPPER sabotage;
--   CREATE USER MAPPING FOR {app} SERVER sabotage;
SELECT
    m.srvname AS object, '' AS detail,
    pg_catalog.format('the application has a user mapping for the server %s', m.srvname) AS message
FROM pg_catalog.pg_user_mappings AS m
WHERE m.umuser = 0 OR EXISTS (SELECT FROM reach WHERE reach.oid = m.umuser)
GROUP BY m.srvname;
