-- id: 515
-- slug: function-dynamic
-- level: note
-- title: A function that runs statements made from text
-- controls: SOC 2 CC6.1
-- needs: app
-- why: Where its text comes from an argument, one SELECT is enough to run SET, and so to choose the tenant, also
--   where set_config is taken away.
-- fix: Do without EXECUTE, or pass values by USING and names by format('%I').
-- sabotage:
--   CREATE FUNCTION {schema}.sabotage(text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE $1; END';
--   GRANT EXECUTE ON FUNCTION {schema}.sabotage(text) TO {app};
SELECT
    proc.label AS object, '' AS detail,
    pg_catalog.format('%s runs statements made from text, and the application may call it', proc.label) AS message
FROM proc
WHERE proc.callable AND NOT proc.trigger AND proc.source ~* '\mexecute\M\s+(?!function|procedure|on\M)'
  AND proc.language NOT IN ('c', 'internal', 'sql');
