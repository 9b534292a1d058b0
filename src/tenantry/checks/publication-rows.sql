-- id: 617
-- slug: publication-rows
-- level: warning
-- title: A publication of every tenant's rows
-- controls: SOC 2 CC6.1, CC6.7
-- needs: tenancy
-- why: Logical replication asks no policy: a subscriber gets the rows of all tenants.
-- fix: A row filter per tenant; or let only trusted systems subscribe, and waive this.
-- sabotage:
--   CREATE PUBLICATION sabotage FOR TABLE {table};
SELECT
    p.pubname AS object, '' AS detail,
    pg_catalog.format('publication %s sends all rows of %s', p.pubname,
        CASE WHEN pg_catalog.count(*) > 5 THEN pg_catalog.count(*) || ' tables of tenants' ELSE pg_catalog.string_agg(mine.label, ', ' ORDER BY mine.label) END) AS message
FROM pg_catalog.pg_publication_tables AS p
JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename
JOIN mine ON mine.oid = c.oid
WHERE p.rowfilter IS NULL
GROUP BY p.pubname;
