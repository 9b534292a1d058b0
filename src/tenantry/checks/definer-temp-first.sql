-- id: 508
-- slug: definer-temp-first
-- level: warning
-- title: A SECURITY DEFINER function that looks into temporary tables first
-- controls: SOC 2 CC6.1, CC6.8
-- needs: app
-- why: Where search_path does not name pg_temp, temporary tables come before everything else in it: the caller's own
--   table takes the place of the real one.
-- fix: Put pg_temp last: SET search_path = pg_catalog, pg_temp.
-- sabotage:
--   CREATE FUNCTION {schema}.sabotage() RETURNS integer LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT 1';
--   ALTER FUNCTION {schema}.sabotage() OWNER TO {owner};
--   REVOKE EXECUTE ON FUNCTION {schema}.sabotage() FROM PUBLIC;
--   GRANT EXECUTE ON FUNCTION {schema}.sabotage() TO {app};
SELECT
    proc.label AS object, '' AS detail,
    pg_catalog.format('%s runs as %s and does not put pg_temp last', proc.label, proc.owner_name) AS message
FROM proc
CROSS JOIN LATERAL pg_catalog.unnest(proc.config) AS c (setting)
WHERE proc.definer AND (proc.callable OR proc.trigger) AND proc.language NOT IN ('c', 'internal')
  AND c.setting LIKE 'search_path=%' AND c.setting !~ '(=|="")$' AND c.setting !~ 'pg_temp"?\s*$';
