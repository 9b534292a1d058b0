-- id: 903
-- slug: index-vector
-- level: warning
-- title: A vector index over the rows of all tenants
-- controls: SOC 2 PI1.4
-- needs: tenancy
-- why: It finds the nearest rows of all tenants, and the policy then takes away those of others: a small tenant gets
--   too few, or none (measured: 0 of 10 for a tenant with 20 of 40 000 rows).
-- fix: SET LOCAL hnsw.iterative_scan = relaxed_order; and where fewer rows come than were asked for, ask again with an
--   order that no index has, (distance) + 0: the scan gives up after hnsw.max_scan_tuples, and a tenant that it gives
--   up on is small. A partial index or a partition for large tenants.
-- sabotage:
--   CREATE ACCESS METHOD diskann TYPE INDEX HANDLER pg_catalog.hashhandler;
--   CREATE OPERATOR CLASS {schema}.sabotage DEFAULT FOR TYPE text USING diskann AS OPERATOR 1 =, FUNCTION 1 pg_catalog.hashtext(text);
--   CREATE INDEX sabotage ON {table} USING diskann (({key}::text));
SELECT
    mine.label AS object, c.relname AS detail,
    pg_catalog.format('%s on %s is a vector index over the rows of all tenants', c.relname, mine.label) AS message
FROM mine
JOIN pg_catalog.pg_index AS i ON i.indrelid = mine.oid AND i.indpred IS NULL
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid AND NOT c.relispartition
JOIN pg_catalog.pg_am AS m ON m.oid = c.relam AND m.amname IN ('hnsw', 'ivfflat', 'diskann')
WHERE mine.enabled;
