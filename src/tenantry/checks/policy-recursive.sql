-- id: 318
-- slug: policy-recursive
-- level: warning
-- title: A policy that reads its own table
-- controls: SOC 2 A1.2
-- why: To apply it the server would have to apply it first: every query of the table fails with an error (42P17). No
--   row leaks, but the application stops.
-- fix: Compare a column of the row itself; or ask a function that runs with the rights of another role.
-- sabotage:
--   CREATE POLICY sabotage ON {table} AS RESTRICTIVE USING (EXISTS (SELECT FROM {table} AS other));
SELECT
    arm.label AS object, arm.name AS detail,
    pg_catalog.format('policy %s on %s reads %s itself', arm.name, arm.label, arm.label) AS message
FROM arm
WHERE arm.read -> 'traits' ? 'recursive'
GROUP BY arm.label, arm.name;
