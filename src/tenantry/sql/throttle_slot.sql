-- The replication slot that is nearest to losing the WAL it needs, if one is near. The server drops that WAL once
-- a slot retains more than max_slot_wal_keep_size, and its standby or subscriber must then be made anew.
-- Near: 128 MB are left or, of a small allowance, half of it.
-- Yields: its name and the bytes that may still be written; a slot that is lost already is nobody's loss any more.
SELECT s.slot_name::text, s.safe_wal_size
FROM pg_catalog.pg_replication_slots AS s
CROSS JOIN pg_catalog.pg_settings AS allowed
WHERE allowed.name = 'max_slot_wal_keep_size' AND s.wal_status <> 'lost'
    AND s.safe_wal_size < least(128 * 1048576, allowed.setting::pg_catalog.int8 * 1048576 / 2)
ORDER BY s.safe_wal_size, s.slot_name
LIMIT 1;
