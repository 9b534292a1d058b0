-- id: 610
-- slug: create-database
-- level: warning
-- title: The application may create schemas
-- controls: SOC 2 CC6.3, CC6.8
-- needs: app
-- why: In a schema of its own it creates what others may find first, and tables that no policy covers.
-- fix: REVOKE CREATE ON DATABASE … FROM the role that has it.
-- sabotage:
--   GRANT CREATE ON DATABASE {database} TO {app};
SELECT reach.who AS object, '' AS detail, pg_catalog.format('%s may create schemas', reach.who) AS message
FROM reach
JOIN pg_catalog.pg_database AS d ON d.datname = pg_catalog.current_database()
WHERE reach.oid <> d.datdba AND pg_catalog.has_database_privilege(reach.oid, d.oid, 'CREATE')
GROUP BY reach.who;
