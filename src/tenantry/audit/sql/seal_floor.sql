-- No event that becomes visible after the next snapshot can be older than this: the begin of the oldest transaction
-- that is open in this database, or now. NULL when that cannot be seen.
SELECT CASE
    WHEN EXISTS (
        SELECT FROM pg_catalog.pg_prepared_xacts AS p WHERE p.database = pg_catalog.current_database()
    ) THEN NULL
    WHEN EXISTS (
        SELECT FROM pg_catalog.pg_stat_activity AS a
        WHERE a.datname = pg_catalog.current_database() AND a.query = '<insufficient privilege>'
    ) THEN NULL
    ELSE pg_catalog.to_char(least(pg_catalog.clock_timestamp(), (
        SELECT min(a.xact_start) FROM pg_catalog.pg_stat_activity AS a
        WHERE a.datname = pg_catalog.current_database()
    )) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
END;
