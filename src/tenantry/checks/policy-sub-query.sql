-- id: 317
-- slug: policy-sub-query
-- level: note
-- title: A policy that looks into another table
-- controls: SOC 2 CC6.1
-- why: While that row is being changed, a query that waited for it can be judged by what it was before: for a moment
--   a session sees what was just taken from it.
-- fix: Keep the tenant in the table itself, and compare that column alone; or change such rows in a transaction that
--   locks them first.
-- sabotage:
--   CREATE POLICY sabotage ON {table} AS RESTRICTIVE USING (EXISTS (SELECT FROM {tenants}));
SELECT
    policy.label AS object, policy.name AS detail,
    pg_catalog.format('policy %s on %s reads %s', policy.name, policy.label, pg_catalog.string_agg(DISTINCT rel.label, ', ')) AS message
FROM policy
JOIN pg_catalog.pg_depend AS d
  ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objid = policy.oid
 AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> policy.rel
JOIN rel ON rel.oid = d.refobjid
WHERE policy.applies
GROUP BY policy.label, policy.name;
