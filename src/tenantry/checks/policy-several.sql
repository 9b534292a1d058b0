-- id: 309
-- slug: policy-several
-- level: note
-- title: Several permissive policies for one command
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: They are joined by OR. Each isolates by itself here, but whoever reads one does not see what the others let
--   through.
-- fix: One policy FOR ALL per table.
-- sabotage:
--   CREATE POLICY sabotage ON {table} USING ({column} = {now});
WITH own AS (
    SELECT label, rel, command, name, form FROM arm WHERE permissive
), pairs AS (
    SELECT label, rel FROM own GROUP BY label, rel, command HAVING pg_catalog.count(DISTINCT name) > 1
)
SELECT
    pairs.label AS object, '' AS detail,
    pg_catalog.format('%s has several permissive policies for one command: %s', pairs.label, pg_catalog.string_agg(DISTINCT own.name, ', ')) AS message
FROM pairs
JOIN own USING (rel)
GROUP BY pairs.label
HAVING pg_catalog.bool_and(own.form IN ('tenant', 'through', 'closed'));
