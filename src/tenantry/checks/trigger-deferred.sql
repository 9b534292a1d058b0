-- id: 516
-- slug: trigger-deferred
-- level: note
-- title: A trigger that runs at COMMIT
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: The tenant that is set at COMMIT counts for it, not that of the statement; up to PostgreSQL 17 the role at
--   COMMIT too.
-- fix: One tenant per transaction; take the tenant from the row.
-- sabotage:
--   CREATE CONSTRAINT TRIGGER sabotage AFTER UPDATE ON {table} DEFERRABLE FOR EACH ROW EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger();
SELECT
    mine.label AS object, t.tgname AS detail,
    pg_catalog.format('trigger %s of %s may run at COMMIT', t.tgname, mine.label) AS message
FROM mine
JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = mine.oid AND NOT t.tgisinternal AND t.tgdeferrable;
