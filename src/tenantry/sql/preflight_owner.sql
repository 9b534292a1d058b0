-- Only an owner (or a member of the owner, or a superuser) may alter a table.
-- Yields: level, object, message.
SELECT
    'stop' AS level,
    c.oid::pg_catalog.regclass::pg_catalog.text AS object,
    'belongs to ' || pg_catalog.pg_get_userbyid(c.relowner) || ', and ' || current_user
    || ' is no member of that role; connect as the owner or as a superuser' AS message
FROM pg_catalog.pg_class AS c
WHERE c.oid = ANY (%(oids)s::pg_catalog.int8[]::pg_catalog.oid[])
  AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
ORDER BY 2;
