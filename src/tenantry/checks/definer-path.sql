-- id: 507
-- slug: definer-path
-- level: error
-- title: A SECURITY DEFINER function that finds what its caller puts in front
-- controls: SOC 2 CC6.1, CC6.8
-- needs: app
-- why: It has no search_path of its own: the caller decides which tables, functions and operators its names mean, and
--   it uses them with the owner's rights.
-- fix: ALTER FUNCTION … SET search_path = pg_catalog, pg_temp, with qualified names in the body.
-- sabotage:
--   CREATE FUNCTION {schema}.sabotage() RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
--   ALTER FUNCTION {schema}.sabotage() OWNER TO {owner};
--   REVOKE EXECUTE ON FUNCTION {schema}.sabotage() FROM PUBLIC;
--   GRANT EXECUTE ON FUNCTION {schema}.sabotage() TO {app};
SELECT
    proc.label AS object, '' AS detail,
    pg_catalog.format('%s runs as %s and resolves its names as the caller does', proc.label, proc.owner_name) AS message
FROM proc
WHERE proc.definer AND (proc.callable OR proc.trigger) AND proc.language NOT IN ('c', 'internal')
  AND NOT EXISTS (SELECT FROM pg_catalog.unnest(proc.config) AS c (setting) WHERE c.setting LIKE 'search_path=%');
