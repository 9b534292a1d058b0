-- What the plan's WAL meets: an archiver that fails keeps all of it, a limit for slots cuts standbys off.
-- Yields: level, object, message.
WITH sizes AS (
    SELECT
        %(wal)s::pg_catalog.int8 AS wal,
        pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_wal_size')) AS soft,
        pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_slot_wal_keep_size')) AS kept
)
SELECT
    'warn' AS level,
    'archiver' AS object,
    'failed ' || a.failed_count || ' times, last at ' || pg_catalog.to_char(a.last_failed_time, 'YYYY-MM-DD HH24:MI:SS')
    || ' with ' || a.last_failed_wal || ', and archived nothing since: WAL stays in pg_wal, and the plan adds about '
    || pg_catalog.pg_size_pretty(sizes.wal) || '; mend archive_command first' AS message
FROM pg_catalog.pg_stat_archiver AS a
CROSS JOIN sizes
WHERE pg_catalog.current_setting('archive_mode') <> 'off'
  AND a.last_failed_time > coalesce(a.last_archived_time, '-infinity')
UNION ALL
SELECT
    'warn', 'max_wal_size',
    'is ' || pg_catalog.pg_size_pretty(sizes.soft) || ' and the plan writes about '
    || pg_catalog.pg_size_pretty(sizes.wal) || ' of WAL: checkpoints come early and often; raise it for the time'
FROM sizes
WHERE sizes.wal > sizes.soft
UNION ALL
SELECT
    'warn', 'max_slot_wal_keep_size',
    'is ' || pg_catalog.pg_size_pretty(sizes.kept) || ' and the plan writes about '
    || pg_catalog.pg_size_pretty(sizes.wal) || ' of WAL: a slot that falls behind by that is lost; raise it for the time'
FROM sizes
WHERE sizes.kept >= 0 AND sizes.wal > sizes.kept
  AND EXISTS (SELECT FROM pg_catalog.pg_replication_slots)
ORDER BY 2;
