-- Bytes of WAL that the slowest standby has not replayed yet, and whether there is one that this role may not look at.
SELECT
    coalesce(max(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), replay_lsn)), 0)::bigint AS lag,
    coalesce(bool_or(state IS NULL), false) AS hidden
FROM pg_catalog.pg_stat_replication
