-- id: 411
-- slug: tenant-mutable
-- level: note
-- title: The application may change the tenant of a row
-- controls: SOC 2 CC6.3, PI1.5
-- needs: tenancy app
-- why: WITH CHECK refuses a move to another tenant. Without the right to the column there would be nothing to refuse,
--   also where a policy is wrong.
-- fix: GRANT UPDATE on the other columns only; or a BEFORE UPDATE trigger that refuses it.
-- sabotage:
--   GRANT UPDATE ON {tenants} TO {app};
SELECT
    mine.label AS object, a.attname AS detail,
    pg_catalog.format('the application may update %s of %s', a.attname, mine.label) AS message
FROM mine
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = mine.oid AND a.attnum = mine.col
WHERE mine.scope IN ('tenant', 'tenants') AND mine.owner NOT IN (SELECT oid FROM reach)
  AND EXISTS (
      SELECT FROM reach
      WHERE pg_catalog.has_schema_privilege(reach.oid, mine.namespace, 'USAGE')
        AND pg_catalog.has_column_privilege(reach.oid, mine.oid, mine.col, 'UPDATE')
  );
