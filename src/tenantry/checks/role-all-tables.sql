-- id: 109
-- slug: role-all-tables
-- level: error
-- title: The application has rights on all tables at once
-- controls: SOC 2 CC6.3
-- needs: role
-- why: Policies still bind a member of pg_read_all_data or pg_write_all_data, but every table without them lies open,
--   the trail and tables that are made later included.
-- fix: REVOKE the membership, and grant what is needed table by table.
-- sabotage:
--   GRANT pg_read_all_data TO {app};
SELECT reach.who AS object, reach.name AS detail, pg_catalog.format('%s is a member of %s', reach.who, reach.name) AS message
FROM reach
WHERE reach.name IN ('pg_read_all_data', 'pg_write_all_data', 'pg_maintain');
