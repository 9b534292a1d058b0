-- How far the slowest standby or subscriber is behind. Who may not look sees that there is one and nothing else of it.
-- Yields: its name, the bytes of WAL that it has not replayed yet, and whether one is hidden from this role.
SELECT max(r.application_name) FILTER (WHERE r.lag = r.most), coalesce(max(r.lag), 0)::pg_catalog.int8 AS lag,
    coalesce(bool_or(r.state IS NULL), false) AS hidden
FROM (
    SELECT s.application_name, s.state, l.lag, max(l.lag) OVER () AS most
    FROM pg_catalog.pg_stat_replication AS s
    CROSS JOIN LATERAL (
        SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.replay_lsn) AS lag
    ) AS l
) AS r;
