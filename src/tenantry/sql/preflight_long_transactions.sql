-- Sessions with a transaction older than so many seconds: a strong lock is not had while one uses the table, and a concurrent
-- build waits for all of them. Others' sessions are visible to members of pg_read_all_stats.
-- Yields: level, object, message.
SELECT
    'warn' AS level,
    'process ' || a.pid AS object,
    coalesce(nullif(a.application_name, ''), 'no name') || ', ' || coalesce(a.usename, 'no user') || ', '
    || coalesce(a.state, 'no state') || ': its transaction is open for '
    || extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::pg_catalog.int8
    || ' s; locks and concurrent builds wait for it, so let it end first, or pg_terminate_backend('
    || a.pid || ')' AS message
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = pg_catalog.current_database()
  AND a.pid <> pg_catalog.pg_backend_pid()
  AND a.backend_type = 'client backend'
  AND a.xact_start < pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => %(long)s::pg_catalog.float8)
UNION ALL
SELECT
    'unseen',
    'sessions of ' || a.usename,
    pg_catalog.count(*) || ' of them, whose transactions ' || current_user || ' may not look at; let a superuser '
    || 'run: GRANT pg_read_all_stats TO ' || pg_catalog.quote_ident(current_user)
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = pg_catalog.current_database()
  AND a.usename IS NOT NULL
  AND a.query = '<insufficient privilege>'
GROUP BY a.usename
ORDER BY 1 DESC, 2;
