-- id: 511
-- slug: function-leakproof
-- level: error
-- title: A function that claims to be leakproof
-- controls: SOC 2 CC6.1
-- why: A leakproof function runs before the policies do. If it tells anything of its arguments, by an error or a
--   notice, it tells it of every tenant's rows.
-- fix: ALTER FUNCTION … NOT LEAKPROOF, unless its source was read and it cannot tell.
-- sabotage:
--   CREATE FUNCTION {schema}.sabotage(text) RETURNS boolean LANGUAGE sql LEAKPROOF AS 'SELECT true';
SELECT
    proc.label AS object, '' AS detail,
    pg_catalog.format('%s is marked LEAKPROOF', proc.label) AS message
FROM proc
WHERE proc.leakproof;
