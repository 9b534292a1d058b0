-- Whether WAL is archived, and how it goes. The file names count segments: 8 digits timeline, 8 of the upper half,
-- 8 of the lower; names of backup labels and timeline histories are no segments.
-- Yields a row only where WAL is archived: whether the last try failed; bytes written since the last archived file,
-- NULL while none was archived yet.
SELECT coalesce(a.last_failed_time > coalesce(a.last_archived_time, '-infinity'), false) AS failing,
    CASE WHEN a.last_archived_wal ~ '^[0-9A-F]{24}$' THEN
        pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::pg_catalog.int8
        - (('x' || pg_catalog.substr(a.last_archived_wal, 9, 8))::pg_catalog.bit(32)::pg_catalog.int8 << 32)
        - (('x' || pg_catalog.substr(a.last_archived_wal, 17, 8))::pg_catalog.bit(32)::pg_catalog.int8 + 1)
        * size.setting::pg_catalog.int8
    END AS behind
FROM pg_catalog.pg_stat_archiver AS a
CROSS JOIN pg_catalog.pg_settings AS mode
CROSS JOIN pg_catalog.pg_settings AS size
WHERE mode.name = 'archive_mode' AND mode.setting <> 'off' AND size.name = 'wal_segment_size';
