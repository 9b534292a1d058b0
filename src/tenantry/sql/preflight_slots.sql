-- A replication slot that nobody reads keeps the plan's WAL, until the disk is full.
-- Yields: level, object, message.
SELECT
    'warn' AS level,
    'replication slot ' || s.slot_name AS object,
    s.slot_type || ', '
    || CASE
        WHEN s.wal_status = 'lost' THEN 'lost: its reader cannot go on'
        WHEN NOT s.active THEN 'inactive, keeps '
            || pg_catalog.pg_size_pretty(pg_catalog.pg_wal_lsn_diff(w.now, s.restart_lsn)) || ' of WAL'
        ELSE 'active, ' || pg_catalog.pg_size_pretty(pg_catalog.pg_wal_lsn_diff(w.now, s.restart_lsn)) || ' behind'
    END
    || '; the plan adds about ' || pg_catalog.pg_size_pretty(%(wal)s::pg_catalog.int8)
    || '. Let its reader catch up, or drop the slot' AS message
FROM pg_catalog.pg_replication_slots AS s
CROSS JOIN (
    SELECT CASE
        WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
        ELSE pg_catalog.pg_current_wal_lsn()
    END AS now
) AS w
WHERE s.restart_lsn IS NOT NULL AND NOT s.temporary
  AND (
      NOT s.active
      OR s.wal_status IN ('unreserved', 'lost')
      OR pg_catalog.pg_wal_lsn_diff(w.now, s.restart_lsn) > 1024 * 1024 * 1024
  )
ORDER BY 2;
