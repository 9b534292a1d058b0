-- id: 108
-- slug: role-server-files
-- level: error
-- title: The application reaches files or programs of the server
-- controls: SOC 2 CC6.1, CC6.3
-- needs: role
-- why: The tables are files of the server. Who may read, write or run what is there needs no policy.
-- fix: REVOKE pg_read_server_files, pg_write_server_files and pg_execute_server_program from it.
-- sabotage:
--   GRANT pg_read_server_files TO {app};
SELECT reach.who AS object, reach.name AS detail, pg_catalog.format('%s is a member of %s', reach.who, reach.name) AS message
FROM reach
WHERE reach.name IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program');
