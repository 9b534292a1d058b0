-- id: 310
-- slug: policy-immutable
-- level: error
-- title: A policy that asks an IMMUTABLE function for the session's tenant
-- controls: SOC 2 CC6.1
-- why: The value of an IMMUTABLE function is put into the cached plan. On a shared connection the next tenant runs
--   the plan of the one before, and sees its rows.
-- fix: ALTER FUNCTION … STABLE.
-- sabotage:
--   CREATE FUNCTION {schema}.sabotage() RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.current_setting(''{setting}'', true)';
--   CREATE POLICY sabotage ON {table} AS RESTRICTIVE USING ({column}::text = {schema}.sabotage());
SELECT
    policy.label AS object, policy.name AS detail,
    pg_catalog.format('policy %s on %s asks %s, which is IMMUTABLE', policy.name, policy.label, proc.label) AS message
FROM policy
JOIN pg_catalog.pg_depend AS d
  ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = policy.oid
 AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
JOIN proc ON proc.oid = d.refobjid
WHERE proc.volatility = 'i'
  AND (proc.label ~ '[(][)]$' OR proc.source ~* '\m(current_setting|from)\M');
