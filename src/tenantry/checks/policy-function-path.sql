-- id: 311
-- slug: policy-function-path
-- level: warning
-- title: A policy that asks a function whose names the caller resolves
-- controls: SOC 2 CC6.1
-- why: The function reads tables without a search_path of its own. A session that may make temporary tables puts one
--   of the same name in front, and decides what the policy finds.
-- fix: ALTER FUNCTION … SET search_path = pg_catalog, pg_temp, with qualified names; REVOKE TEMP ON DATABASE.
-- sabotage:
--   CREATE FUNCTION {schema}.sabotage() RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM {tenants})';
--   CREATE POLICY sabotage ON {table} AS RESTRICTIVE USING ({schema}.sabotage());
SELECT
    policy.label AS object, policy.name AS detail,
    pg_catalog.format('policy %s on %s asks %s, which has no search_path of its own', policy.name, policy.label, proc.label) AS message
FROM policy
JOIN pg_catalog.pg_depend AS d
  ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = policy.oid
 AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
JOIN proc ON proc.oid = d.refobjid
WHERE proc.language NOT IN ('c', 'internal') AND proc.source ~* '\mfrom\M'
  AND NOT EXISTS (SELECT FROM pg_catalog.unnest(proc.config) AS c (setting) WHERE c.setting LIKE 'search_path=%');
