-- id: 308
-- slug: policy-other-setting
-- level: error
-- title: A policy that asks another setting than the others
-- controls: SOC 2 CC6.1
-- needs: setting
-- why: Whoever sets the tenant does not set this one, and whoever sets this one is not held to the tenant.
-- fix: Use one setting in all policies.
-- sabotage:
--   CREATE POLICY sabotage ON {table} USING ({column}::text = current_setting('sabotage.tenant', true));
SELECT
    arm.label AS object, arm.name AS detail,
    pg_catalog.format('policy %s on %s asks %s and not %s', arm.name, arm.label, arm.read ->> 'setting', param.p ->> 'setting') AS message
FROM param
CROSS JOIN arm
WHERE arm.permissive AND arm.read -> 'traits' ? 'other-setting' AND NOT arm.guarded
GROUP BY arm.label, arm.name, arm.read ->> 'setting', param.p ->> 'setting';
