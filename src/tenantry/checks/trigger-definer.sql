-- id: 512
-- slug: trigger-definer
-- level: warning
-- title: A trigger that runs as somebody whom no policy binds
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: What it reads or writes elsewhere is not held to the tenant: a copy, a summary or an event can end up at
--   another one.
-- fix: Let its owner be a role that forced policies bind; take the tenant from the row and not from the setting.
-- sabotage:
--   CREATE FUNCTION {schema}.sabotage() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END';
--   CREATE TRIGGER sabotage BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {schema}.sabotage();
SELECT
    mine.label AS object, t.tgname AS detail,
    pg_catalog.format('trigger %s of %s runs %s with the rights of %s', t.tgname, mine.label, proc.label, proc.owner_name) AS message
FROM mine
JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = mine.oid AND NOT t.tgisinternal
JOIN proc ON proc.oid = t.tgfoid
WHERE proc.definer AND proc.free;
