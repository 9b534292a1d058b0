-- The cut-over locks every table at once; the lock table of the server has a fixed size.
-- Yields: level, object, message.
SELECT
    CASE WHEN needed.locks > room.locks THEN 'stop' ELSE 'warn' END AS level,
    'server' AS object,
    'the cut-over locks ' || needed.locks || ' tables at once, and max_locks_per_transaction is ' || room.each
    || ' (' || room.locks || ' for all sessions together); raise it to at least ' || needed.locks
    || ' and restart the server, or cut over table by table' AS message
FROM (
    SELECT pg_catalog.cardinality(%(oids)s::pg_catalog.int8[])::pg_catalog.int8 AS locks
) AS needed
CROSS JOIN (
    SELECT
        pg_catalog.current_setting('max_locks_per_transaction')::pg_catalog.int8 AS each,
        pg_catalog.current_setting('max_locks_per_transaction')::pg_catalog.int8 * (
            pg_catalog.current_setting('max_connections')::pg_catalog.int8
            + pg_catalog.current_setting('max_prepared_transactions')::pg_catalog.int8
        ) AS locks
) AS room
WHERE %(cuts_over)s::pg_catalog.bool AND needed.locks > room.each
ORDER BY 2;
