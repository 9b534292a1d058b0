-- The sessions that a session (its process id is the parameter) waits for. Others' queries and names are visible
-- to superusers and to members of pg_read_all_stats. A prepared transaction has no session: pid 0.
-- Yields: pid, application_name, state, seconds since its transaction began, query.
SELECT b.pid, a.application_name, a.state,
    extract(epoch FROM pg_catalog.clock_timestamp() - a.xact_start)::pg_catalog.int8 AS seconds,
    a.query
FROM (SELECT DISTINCT pg_catalog.unnest(pg_catalog.pg_blocking_pids(%(pid)s)) AS pid) AS b
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = b.pid
ORDER BY b.pid;
