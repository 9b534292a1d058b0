-- A prepared transaction holds its locks until somebody ends it, and a concurrent build waits for it that long.
-- It has no process; its locks are those of the virtual transaction that holds the lock on its own id.
-- Yields: level, object, message.
SELECT
    CASE WHEN held.tables IS NULL THEN 'warn' ELSE 'stop' END AS level,
    'prepared transaction ' || p.gid AS object,
    'of ' || p.owner || ', since ' || pg_catalog.to_char(p.prepared, 'YYYY-MM-DD HH24:MI:SS')
    || coalesce(', holds locks on ' || held.tables, '')
    || ': nothing that waits for it goes on before somebody runs COMMIT PREPARED or ROLLBACK PREPARED '
    || pg_catalog.quote_literal(p.gid) AS message
FROM pg_catalog.pg_prepared_xacts AS p
LEFT JOIN LATERAL (
    SELECT
        pg_catalog.string_agg(DISTINCT l.relation::pg_catalog.regclass::pg_catalog.text, ', ') AS tables
    FROM pg_catalog.pg_locks AS own
    JOIN pg_catalog.pg_locks AS l ON l.virtualtransaction = own.virtualtransaction
    WHERE own.locktype = 'transactionid' AND own.transactionid = p.transaction AND own.pid IS NULL
      AND l.pid IS NULL
      AND l.relation = ANY (%(oids)s::pg_catalog.int8[]::pg_catalog.oid[])
) AS held ON true
WHERE p.database = pg_catalog.current_database()
ORDER BY 2;
