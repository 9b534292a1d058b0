-- id: 706
-- slug: ddl-unguarded
-- level: note
-- title: Nothing stands between a migration and row level security
-- controls: SOC 2 CC8.1
-- why: DISABLE ROW LEVEL SECURITY, a policy that was changed and a table made without one take effect at once. An
--   event trigger can refuse them; run this check on every deploy in any case.
-- fix: An event trigger on ddl_command_end that refuses such changes outside of the migrator, and switches row level
--   security on for new tables.
-- sabotage:
--   DROP EVENT TRIGGER {event_trigger};
SELECT d.datname AS object, '' AS detail, 'no event trigger looks at changes of tables and policies' AS message
FROM pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database()
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_event_trigger AS e
      WHERE e.evtevent IN ('ddl_command_start', 'ddl_command_end') AND e.evtenabled <> 'D'
  );
