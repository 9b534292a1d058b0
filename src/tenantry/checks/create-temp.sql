-- id: 609
-- slug: create-temp
-- level: warning
-- title: The application may make temporary tables
-- controls: SOC 2 CC6.3, CC6.8
-- needs: app
-- why: On a shared connection a temporary table of one tenant takes the place of the real one for the next, and
--   catches what it writes. Every role may make them unless PUBLIC was refused.
-- fix: REVOKE TEMP ON DATABASE … FROM PUBLIC; put pg_temp last in search_path.
-- sabotage:
--   GRANT TEMP ON DATABASE {database} TO {app};
SELECT reach.who AS object, '' AS detail, pg_catalog.format('%s may make temporary tables', reach.who) AS message
FROM reach
JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database()
WHERE pg_catalog.has_database_privilege(reach.oid, d.oid, 'TEMP')
GROUP BY reach.who;
