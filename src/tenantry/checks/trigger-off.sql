-- id: 513
-- slug: trigger-off
-- level: warning
-- title: A trigger that is switched off
-- controls: SOC 2 CC8.1
-- needs: tenancy
-- why: What it guarded or wrote is missing, and nothing says so.
-- fix: ALTER TABLE … ENABLE TRIGGER, or drop it.
-- sabotage:
--   CREATE TRIGGER sabotage BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger();
--   ALTER TABLE {table} DISABLE TRIGGER sabotage;
SELECT
    mine.label AS object, t.tgname AS detail,
    pg_catalog.format('trigger %s of %s is switched off', t.tgname, mine.label) AS message
FROM mine
JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = mine.oid AND NOT t.tgisinternal AND t.tgenabled = 'D'
WHERE mine.scope <> 'trail';
