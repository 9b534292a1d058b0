-- id: 206
-- slug: policy-inert
-- level: error
-- title: Policies on a table whose row level security is off
-- controls: SOC 2 CC6.1
-- why: A policy does nothing before ENABLE ROW LEVEL SECURITY, and reads as if it did.
-- fix: ALTER TABLE … ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; or drop the policies.
-- sabotage:
--   CREATE TABLE {schema}.sabotage (id integer);
--   CREATE POLICY sabotage ON {schema}.sabotage USING (false);
SELECT
    rel.label AS object, '' AS detail,
    pg_catalog.format('%s has policies (%s) and no row level security', rel.label, pg_catalog.string_agg(policy.name, ', ' ORDER BY policy.name)) AS message
FROM rel
JOIN policy ON policy.rel = rel.oid
WHERE NOT rel.enabled AND coalesce(rel.scope, 'shared') = 'shared'
GROUP BY rel.label;
