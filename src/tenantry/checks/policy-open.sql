-- id: 301
-- slug: policy-open
-- level: error
-- title: A policy that lets every row through
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: Its condition asks nothing of the session, so all tenants see the same rows. Permissive policies are joined by
--   OR: one such policy undoes the others. A policy for UPDATE or DELETE counts too: a statement that reads no column
--   is not held back by the policy for SELECT.
-- fix: DROP POLICY, or make it compare the tenant column with the session's tenant like the others.
-- sabotage:
--   CREATE POLICY sabotage ON {table} USING (true);
SELECT
    arm.label AS object, arm.name AS detail,
    pg_catalog.format('policy %s on %s lets every tenant''s rows through for %s', arm.name, arm.label, pg_catalog.string_agg(DISTINCT c.word, ', ')) AS message
FROM arm
JOIN (VALUES ('r', 'select'), ('w', 'update'), ('d', 'delete')) AS c (command, word) USING (command)
WHERE arm.permissive AND arm.part = 'using' AND arm.form = 'open' AND NOT arm.guarded
  AND arm.scope IN ('tenant', 'through', 'tenants', 'trail')
GROUP BY arm.label, arm.name;
