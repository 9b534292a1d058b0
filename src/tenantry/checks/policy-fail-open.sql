-- id: 302
-- slug: policy-fail-open
-- level: error
-- title: A policy that opens when no tenant is set, or when a setting says so
-- controls: SOC 2 CC6.1
-- why: Every session can change or leave out a setting, an injected statement too. A condition that is true for all
--   rows then (… IS NULL OR, coalesce with the column or with a fixed tenant, a flag that lifts isolation) fails
--   open.
-- fix: Compare the tenant column with the setting and with nothing else. Who must see all tenants needs another role.
-- sabotage:
--   CREATE POLICY sabotage ON {table} USING (current_setting('{setting}', true) IS NULL);
SELECT
    arm.label AS object, arm.name AS detail,
    pg_catalog.format('policy %s on %s is true for rows of every tenant in a state that any session can be in', arm.name, arm.label) AS message
FROM arm
WHERE arm.permissive AND arm.part = 'using' AND arm.form = 'fail-open' AND NOT arm.guarded
  AND coalesce(arm.scope, 'tenant') IN ('tenant', 'through', 'tenants', 'trail')
GROUP BY arm.label, arm.name;
