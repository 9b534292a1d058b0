-- Relations outside of system schemas that a role can read or write.
-- Parameter: role. Yields: schema, name, kind (r, p, v, m, f), columns that it can read, privileges; by name.
SELECT
    n.nspname,
    c.relname,
    c.relkind::text,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND pg_catalog.has_column_privilege(%(role)s, c.oid, a.attnum, 'SELECT')
        ORDER BY a.attnum
    ) AS readable,
    ARRAY(
        SELECT w.word
        FROM pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS w (word)
        WHERE pg_catalog.has_table_privilege(%(role)s, c.oid, w.word)
           OR w.word <> 'DELETE' AND pg_catalog.has_any_column_privilege(%(role)s, c.oid, w.word)
        ORDER BY w.word
    ) AS words
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tenantry')
  AND n.nspname NOT LIKE 'pg\_%%'
  AND pg_catalog.has_schema_privilege(%(role)s, n.oid, 'USAGE')
  AND (
      pg_catalog.has_any_column_privilege(%(role)s, c.oid, 'SELECT, INSERT, UPDATE')
      OR pg_catalog.has_table_privilege(%(role)s, c.oid, 'DELETE')
  )
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
  )
ORDER BY n.nspname, c.relname;
