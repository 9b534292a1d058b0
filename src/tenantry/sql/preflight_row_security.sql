-- Tables whose rows the plan reads or fills, and whose policies bind this role: the server refuses it there, since the
-- plan may not work on a part of the rows without knowing.
-- Yields: level, object, message.
SELECT
    'stop' AS level,
    c.oid::pg_catalog.regclass::pg_catalog.text AS object,
    'row-level security' || CASE WHEN c.relforcerowsecurity THEN ', forced,' ELSE '' END || ' binds '
    || current_user || ' there, and the plan reads all of its rows; use a superuser or a role with BYPASSRLS'
    AS message
FROM pg_catalog.pg_class AS c
CROSS JOIN pg_catalog.pg_roles AS r
WHERE c.oid = ANY (%(read_oids)s::pg_catalog.int8[]::pg_catalog.oid[])
  AND r.rolname = current_user
  AND c.relrowsecurity
  AND NOT (r.rolsuper OR r.rolbypassrls)
  AND (c.relforcerowsecurity OR NOT pg_catalog.pg_has_role(c.relowner, 'USAGE'))
ORDER BY 2;
