-- id: 314
-- slug: policy-reuse
-- level: warning
-- title: A policy that fails on a connection that was used before
-- controls: SOC 2 A1.2
-- why: After SET LOCAL ends, the setting reads as an empty text and not as NULL. Converted as it is, it raises an
--   error on the next use of the connection without a tenant; current_setting with one argument raises one before the
--   first use. No row leaks, but the application breaks.
-- fix: nullif(current_setting(…, true), '')::uuid.
-- sabotage:
--   CREATE TABLE {schema}.sabotage ({column} uuid NOT NULL);
--   ALTER TABLE {schema}.sabotage ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--   CREATE POLICY sabotage ON {schema}.sabotage USING ({column} = current_setting('{setting}', true)::uuid);
SELECT
    arm.label AS object, arm.name AS detail,
    pg_catalog.format('policy %s on %s raises an error while no tenant is set', arm.name, arm.label) AS message
FROM arm
WHERE arm.form IN ('tenant', 'through') AND arm.read -> 'traits' ?| ARRAY['no-nullif', 'strict-setting']
GROUP BY arm.label, arm.name;
