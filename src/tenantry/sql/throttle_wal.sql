-- How much WAL the server has written, and how fast it may be written at most.
-- Yields: bytes ever written; bytes per second: max_wal_size within checkpoint_warning (30 s if that is switched off),
-- and 8 MB/s at least.
SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::pg_catalog.int8 AS written,
    greatest(
        8 * 1048576,
        max(s.setting::pg_catalog.int8) FILTER (WHERE s.name = 'max_wal_size') * 1048576
        / coalesce(nullif(max(s.setting::pg_catalog.int8) FILTER (WHERE s.name = 'checkpoint_warning'), 0), 30)
    ) AS ceiling
FROM pg_catalog.pg_settings AS s
WHERE s.name IN ('max_wal_size', 'checkpoint_warning');
