-- id: 517
-- slug: trigger-setting
-- level: note
-- title: A trigger that takes the tenant from the setting
-- controls: SOC 2 CC6.1, CC7.2
-- needs: tenancy setting
-- why: Where no policy binds the session (support, a migration), the setting may name another tenant than the row: what
--   the trigger writes, an event for example, then shows one tenant's row to another.
-- fix: Take the tenant from NEW or OLD; record the setting beside it if it matters.
-- sabotage:
--   CREATE FUNCTION {schema}.sabotage() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM current_setting(''{setting}'', true); RETURN NEW; END';
--   CREATE TRIGGER sabotage AFTER UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {schema}.sabotage();
SELECT
    mine.label AS object, t.tgname AS detail,
    pg_catalog.format('trigger %s of %s runs %s, which reads %s', t.tgname, mine.label, proc.label, param.p ->> 'setting') AS message
FROM param
CROSS JOIN mine
JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = mine.oid AND NOT t.tgisinternal
JOIN proc ON proc.oid = t.tgfoid
WHERE pg_catalog.strpos(pg_catalog.lower(proc.source), pg_catalog.lower(param.p ->> 'setting')) > 0;
