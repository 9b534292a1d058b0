-- id: 510
-- slug: definer-public
-- level: note
-- title: A SECURITY DEFINER function that anybody may call
-- controls: SOC 2 CC6.3
-- why: EXECUTE is granted to PUBLIC when a function is made: every login of the database may use the owner's rights
--   through it.
-- fix: REVOKE EXECUTE ON FUNCTION … FROM PUBLIC, and grant it to those who need it.
-- sabotage:
--   CREATE FUNCTION {schema}.sabotage() RETURNS integer LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT 1';
--   ALTER FUNCTION {schema}.sabotage() OWNER TO {owner};
--   GRANT EXECUTE ON FUNCTION {schema}.sabotage() TO PUBLIC;
SELECT
    proc.label AS object, '' AS detail,
    pg_catalog.format('every role may call %s, which runs as %s', proc.label, proc.owner_name) AS message
FROM proc
WHERE proc.definer AND NOT proc.trigger AND NOT proc.context AND pg_catalog.has_function_privilege('public', proc.oid, 'EXECUTE');
