-- id: 306
-- slug: policy-unclassified
-- level: warning
-- title: A policy that is none of the known forms
-- controls: SOC 2 CC6.1
-- why: Whether it isolates could not be told: it asks a function whose body was not read, a membership, the role, or
--   something else. Only forms that are known to isolate count as such.
-- fix: Compare the tenant column with the session's tenant; or read the policy, prove it with `tenantry prove`, and
--   waive this.
-- sabotage:
--   CREATE POLICY sabotage ON {table} USING (pg_catalog.pg_has_role('pg_monitor', 'MEMBER'));
SELECT
    arm.label AS object, arm.name AS detail,
    pg_catalog.format(
        'policy %s on %s is not classified%s', arm.name, arm.label,
        CASE WHEN pg_catalog.bool_or(arm.read -> 'traits' ? 'function') THEN ': it asks a function' ELSE '' END
    ) AS message
FROM arm
WHERE arm.permissive AND arm.form = 'other' AND NOT arm.guarded AND coalesce(arm.scope, '') NOT IN ('shared', 'ignored')
  AND NOT arm.read -> 'traits' ?| ARRAY['wrong-column', 'other-setting']
GROUP BY arm.label, arm.name;
