-- id: 307
-- slug: policy-wrong-column
-- level: error
-- title: A policy that compares another column than the tenant's
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: The session's tenant is compared with a column that does not say whose the row is.
-- fix: Compare the tenant column.
-- sabotage:
--   CREATE POLICY sabotage ON {table} USING ({key}::text = current_setting('{setting}', true));
SELECT
    arm.label AS object, arm.name AS detail,
    pg_catalog.format('policy %s on %s does not compare the tenant column', arm.name, arm.label) AS message
FROM arm
WHERE arm.permissive AND arm.read -> 'traits' ? 'wrong-column' AND NOT arm.guarded
GROUP BY arm.label, arm.name;
