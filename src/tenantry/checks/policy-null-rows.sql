-- id: 303
-- slug: policy-null-rows
-- level: error
-- title: Rows without a tenant that every tenant may write
-- controls: SOC 2 CC6.1, PI1.5
-- needs: tenancy
-- why: One tenant can add a row without a tenant, and all others read it; or change and remove those that are there.
-- fix: Let SELECT alone show shared rows, in a policy of its own; keep the tenant column NOT NULL where there are
--   none.
-- sabotage:
--   ALTER POLICY {policy} ON {table} USING ({column} = {now} OR {column} IS NULL);
SELECT
    arm.label AS object, arm.name AS detail,
    pg_catalog.format('policy %s on %s lets every tenant change rows without a tenant', arm.name, arm.label) AS message
FROM arm
WHERE arm.permissive AND arm.part = 'using' AND arm.form = 'null-rows' AND arm.command <> 'r' AND NOT arm.guarded
GROUP BY arm.label, arm.name;
