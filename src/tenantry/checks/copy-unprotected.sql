-- id: 208
-- slug: copy-unprotected
-- level: error
-- title: A copy of tenants' rows without row level security
-- controls: SOC 2 CC6.1, CC8.1
-- needs: tenancy app
-- why: CREATE TABLE AS, SELECT INTO and LIKE copy the tenant column and neither policies nor row level security.
--   Backups before a change, and tables swapped in for others, are left behind like this.
-- fix: Drop it; or declare it in the spec and isolate it like the others.
-- sabotage:
--   CREATE TABLE {schema}.sabotage AS TABLE {table};
--   GRANT SELECT ON {schema}.sabotage TO {app};
SELECT
    rel.label AS object, '' AS detail,
    pg_catalog.format('%s has the tenant column, no row level security, and the spec does not know it', rel.label) AS message
FROM param
CROSS JOIN rel
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = rel.oid AND a.attname = param.p ->> 'column' AND a.attnum > 0
WHERE rel.scope IS NULL AND rel.kind IN ('r', 'p') AND NOT rel.enabled AND NOT a.attisdropped
  AND EXISTS (
      SELECT FROM access
      WHERE access.oid = rel.oid AND access.word IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
  );
