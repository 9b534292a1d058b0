-- id: 621
-- slug: connect-public
-- level: note
-- title: Every login of the server may connect
-- controls: SOC 2 CC6.1
-- why: CONNECT goes to PUBLIC with every new database: logins of other applications on the same server get in, and
--   find what is granted to PUBLIC.
-- fix: REVOKE CONNECT ON DATABASE … FROM PUBLIC, and grant it to the logins that need it.
-- sabotage:
--   GRANT CONNECT ON DATABASE {database} TO PUBLIC;
SELECT d.datname AS object, '' AS detail, pg_catalog.format('every login may connect to %s', d.datname) AS message
FROM pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database() AND pg_catalog.has_database_privilege('public', d.oid, 'CONNECT');
