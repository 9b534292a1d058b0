-- id: 622
-- slug: statements-readable
-- level: note
-- title: The application reads the texts of statements
-- controls: SOC 2 CC6.1
-- needs: app
-- why: pg_stat_statements shows a role the statements of all its sessions; up to PostgreSQL 17 with the tenants' ids
--   and values in utility statements.
-- fix: REVOKE SELECT ON pg_stat_statements FROM PUBLIC; set the tenant by a bind parameter.
-- sabotage:
--   CREATE EXTENSION pg_stat_statements SCHEMA {schema};
SELECT DISTINCT
    n.nspname || '.' || c.relname AS object, '' AS detail,
    pg_catalog.format('the application may read %s.%s', n.nspname, c.relname) AS message
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN reach
  ON pg_catalog.has_schema_privilege(reach.oid, n.oid, 'USAGE')
 AND pg_catalog.has_table_privilege(reach.oid, c.oid, 'SELECT')
WHERE c.relname = 'pg_stat_statements' AND c.relkind = 'v';
