-- id: 110
-- slug: role-monitoring
-- level: warning
-- title: The application sees or stops what others run
-- controls: SOC 2 CC6.3
-- needs: role
-- why: The monitoring roles show the statements of every session, with the values written in them; pg_signal_backend
--   ends sessions of other roles.
-- fix: REVOKE pg_monitor, pg_read_all_stats, pg_read_all_settings, pg_stat_scan_tables and pg_signal_backend from it.
-- sabotage:
--   GRANT pg_read_all_stats TO {app};
SELECT
    reach.who AS object, '' AS detail,
    pg_catalog.format('%s is a member of %s', reach.who, pg_catalog.string_agg(reach.name, ', ' ORDER BY reach.name)) AS message
FROM reach
WHERE reach.name IN (
    'pg_monitor', 'pg_read_all_stats', 'pg_read_all_settings', 'pg_stat_scan_tables', 'pg_signal_backend'
)
GROUP BY reach.who;
