-- id: 312
-- slug: policy-writable-source
-- level: error
-- title: A policy that believes a table which the application may write
-- controls: SOC 2 CC6.1, CC6.3
-- needs: app
-- why: Who decides what the policy reads decides what it lets through: a session makes itself a member of the other
--   tenant.
-- fix: REVOKE INSERT, UPDATE and DELETE on that table, or isolate it by the tenant too.
-- sabotage:
--   CREATE TABLE {schema}.sabotage (member text);
--   GRANT INSERT ON {schema}.sabotage TO {app};
--   CREATE POLICY sabotage ON {table} AS RESTRICTIVE USING (EXISTS (SELECT FROM {schema}.sabotage));
WITH asked AS (
    SELECT d.objid AS policy, d.refclassid AS class, d.refobjid AS oid
    FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
), named AS MATERIALIZED (
    -- A function's source is text: what it reads is known by name only.
    SELECT proc.oid AS function, rel.oid
    FROM rel
    JOIN pg_catalog.pg_class AS c ON c.oid = rel.oid
    JOIN proc ON proc.source ~* pg_catalog.format('\m%s\M', pg_catalog.regexp_replace(c.relname, '\W', '\\\&', 'g'))
    WHERE proc.oid IN (SELECT oid FROM asked WHERE class = 'pg_catalog.pg_proc'::pg_catalog.regclass)
), source AS (
    SELECT policy, oid FROM asked WHERE class = 'pg_catalog.pg_class'::pg_catalog.regclass
    UNION
    SELECT asked.policy, named.oid
    FROM asked
    JOIN named ON named.function = asked.oid
    WHERE asked.class = 'pg_catalog.pg_proc'::pg_catalog.regclass
)
SELECT
    policy.label AS object, policy.name AS detail,
    pg_catalog.format('policy %s on %s reads %s, where the application may %s', policy.name, policy.label, rel.label,
        pg_catalog.lower(pg_catalog.string_agg(DISTINCT access.word, ', '))) AS message
FROM policy
JOIN source ON source.policy = policy.oid AND source.oid <> policy.rel
JOIN rel ON rel.oid = source.oid
JOIN access ON access.oid = rel.oid AND access.word IN ('INSERT', 'UPDATE', 'DELETE')
-- What is wrong with a table of tenants is said of that table.
WHERE policy.applies AND coalesce(rel.scope, 'shared') = 'shared'
  AND (
      NOT rel.enabled
      OR EXISTS (
          SELECT FROM arm
          WHERE arm.rel = rel.oid AND arm.permissive AND NOT arm.guarded AND arm.command <> 'r'
            AND arm.form NOT IN ('tenant', 'through', 'closed')
      )
  )
GROUP BY policy.label, policy.name, rel.label;
