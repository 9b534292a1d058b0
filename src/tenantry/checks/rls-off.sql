-- id: 201
-- slug: rls-off
-- level: error
-- title: A table of tenants without row level security
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: Every query reads the rows of every tenant. Policies that are there do nothing until row level security is
--   switched on; copies, backups and tables swapped in for others come without it.
-- fix: ALTER TABLE … ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, with the policy of the other tables.
-- sabotage:
--   ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;
SELECT
    mine.label AS object, '' AS detail,
    CASE mine.scope
        WHEN 'tenants' THEN pg_catalog.format('%s, the list of all tenants, has no row level security', mine.label)
        WHEN 'trail' THEN pg_catalog.format('%s, the trail of all tenants, has no row level security', mine.label)
        ELSE pg_catalog.format('%s has no row level security', mine.label)
    END AS message
FROM mine
WHERE NOT mine.enabled AND NOT mine.child AND mine.kind IN ('r', 'p');
