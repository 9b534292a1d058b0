-- id: 514
-- slug: table-rule
-- level: warning
-- title: A rule on a table of tenants
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: A rule rewrites statements, and its own run with the rights of the table's owner: a copy that it makes is not
--   held to the tenant.
-- fix: Use a trigger, and a table for the copy that has the tenant column and its own policy.
-- sabotage:
--   CREATE RULE sabotage AS ON DELETE TO {table} DO ALSO NOTHING;
SELECT
    mine.label AS object, r.rulename AS detail,
    pg_catalog.format('rule %s rewrites statements on %s', r.rulename, mine.label) AS message
FROM mine
JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = mine.oid
WHERE mine.kind IN ('r', 'p') AND r.rulename <> '_RETURN';
