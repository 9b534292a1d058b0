-- id: 313
-- slug: policy-cast-column
-- level: warning
-- title: A policy that converts the tenant column before it compares
-- controls: SOC 2 A1.1
-- why: The index on the tenant column does not serve a converted column: every query of every tenant scans all rows
--   (measured: 700 to 2 000 times slower).
-- fix: Keep the column bare and convert the setting: nullif(current_setting(…, true), '')::uuid.
-- sabotage:
--   CREATE TABLE {schema}.sabotage ({column} uuid NOT NULL);
--   ALTER TABLE {schema}.sabotage ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--   CREATE POLICY sabotage ON {schema}.sabotage USING ({column}::text = nullif(current_setting('{setting}', true), ''));
SELECT
    arm.label AS object, arm.name AS detail,
    pg_catalog.format('policy %s on %s converts the column that it compares', arm.name, arm.label) AS message
FROM arm
WHERE arm.form = 'tenant' AND arm.read -> 'traits' ? 'cast-column'
GROUP BY arm.label, arm.name;
