-- id: 705
-- slug: event-trigger-off
-- level: warning
-- title: An event trigger that is switched off
-- controls: SOC 2 CC8.1
-- why: If it guarded row level security against changes, nothing does now.
-- fix: ALTER EVENT TRIGGER … ENABLE, or drop it.
-- sabotage:
--   CREATE FUNCTION {schema}.sabotage() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
--   CREATE EVENT TRIGGER sabotage ON sql_drop EXECUTE FUNCTION {schema}.sabotage();
--   ALTER EVENT TRIGGER sabotage DISABLE;
SELECT e.evtname AS object, '' AS detail, pg_catalog.format('event trigger %s is switched off', e.evtname) AS message
FROM pg_catalog.pg_event_trigger AS e
WHERE e.evtenabled = 'D';
