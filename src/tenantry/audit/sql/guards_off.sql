-- The event triggers that refuse changes of the trail's definition and are on.
SELECT e.evtname::text FROM pg_catalog.pg_event_trigger AS e
WHERE e.evtname LIKE 'audit\_guard\_%' AND e.evtenabled <> 'D'
ORDER BY e.evtname;
