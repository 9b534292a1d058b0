-- id: 904
-- slug: index-not-led
-- level: note
-- title: An index whose speed tells of other tenants
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: A value that many rows of other tenants have takes longer to look up than one that nobody has (measured: 14
--   times).
-- fix: An index (tenant_id, …) in its place: hidden rows then cost nothing.
-- sabotage:
--   CREATE INDEX sabotage ON {table} ({key});
SELECT
    mine.label AS object, c.relname AS detail,
    pg_catalog.format('%s on %s does not lead with the tenant', c.relname, mine.label) AS message
FROM mine
JOIN pg_catalog.pg_index AS i ON i.indrelid = mine.oid AND NOT i.indisunique AND NOT i.indisexclusion AND i.indisvalid
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid AND NOT c.relispartition
JOIN pg_catalog.pg_am AS m ON m.oid = c.relam AND m.amname IN ('btree', 'hash')
WHERE mine.scope = 'tenant' AND mine.col IS NOT NULL AND i.indkey[0] IS DISTINCT FROM mine.col;
