-- id: 304
-- slug: policy-null-read
-- level: warning
-- title: Rows without a tenant that every tenant reads
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: Shared rows beside those of tenants: whoever manages to write one without a tenant shows it to all.
-- fix: Keep such rows in a shared table of their own, or waive this where it is meant.
-- sabotage:
--   CREATE POLICY sabotage ON {table} FOR SELECT USING ({column} = {now} OR {column} IS NULL);
SELECT
    arm.label AS object, arm.name AS detail,
    pg_catalog.format('policy %s on %s shows rows without a tenant to every tenant', arm.name, arm.label) AS message
FROM arm
WHERE arm.permissive AND arm.part = 'using' AND arm.form = 'null-rows' AND arm.cmd = 'r' AND NOT arm.guarded
GROUP BY arm.label, arm.name;
