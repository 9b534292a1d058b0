-- Standbys that are behind already; a backfill waits while one is more than 16 MB behind. One that sends feedback keeps
-- dead rows for its own queries, so that tables grow.
-- Yields: level, object, message.
SELECT
    CASE WHEN s.state IS NULL THEN 'unseen' ELSE 'warn' END AS level,
    CASE WHEN s.state IS NULL THEN 'process ' || s.pid ELSE 'standby ' || s.application_name END AS object,
    CASE
        WHEN s.state IS NULL THEN 'sends WAL to a standby that ' || current_user || ' may not look at; let a superuser '
            || 'run: GRANT pg_read_all_stats TO ' || pg_catalog.quote_ident(current_user)
        WHEN pg_catalog.age(s.backend_xmin) > 1000000 THEN 'its hot_standby_feedback keeps dead rows of the last '
            || pg_catalog.age(s.backend_xmin) || ' transactions; end the long query there'
        ELSE 'is ' || pg_catalog.pg_size_pretty(lag.bytes) || ' behind (' || s.state
            || '); a backfill waits for it, up to 30 s, so let it catch up first'
    END AS message
FROM pg_catalog.pg_stat_replication AS s
CROSS JOIN LATERAL (
    SELECT pg_catalog.pg_wal_lsn_diff(
        CASE
            WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
            ELSE pg_catalog.pg_current_wal_lsn()
        END,
        coalesce(s.replay_lsn, s.flush_lsn, s.write_lsn, s.sent_lsn)
    ) AS bytes
) AS lag
WHERE s.state IS NULL OR lag.bytes > 16 * 1024 * 1024 OR pg_catalog.age(s.backend_xmin) > 1000000
ORDER BY 1, 2;
