-- id: 305
-- slug: policy-check-weak
-- level: error
-- title: A policy that lets rows be written into another tenant
-- controls: SOC 2 CC6.1, PI1.5
-- why: WITH CHECK says which rows may be written. Weaker than USING, it lets a session add rows to another tenant or
--   move its own there, and tests that read the row back do not notice.
-- fix: Leave WITH CHECK out (USING is used then), or repeat the same condition.
-- sabotage:
--   ALTER POLICY {policy} ON {table} WITH CHECK (true);
SELECT
    arm.label AS object, arm.name AS detail,
    pg_catalog.format('policy %s on %s lets rows be written for any tenant', arm.name, arm.label) AS message
FROM arm
JOIN policy ON policy.rel = arm.rel AND policy.name = arm.name
WHERE arm.permissive AND arm.part = 'check' AND policy.has_check AND NOT arm.guarded
  AND arm.form IN ('open', 'fail-open', 'null-rows')
  AND coalesce(policy.using_form, 'tenant') NOT IN ('open', 'fail-open', 'null-rows')
  AND coalesce(arm.scope, 'tenant') IN ('tenant', 'through', 'tenants', 'trail')
GROUP BY arm.label, arm.name;
