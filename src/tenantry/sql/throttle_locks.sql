-- The sessions of this database that have waited for a table or a row for more than a second. Not looked at: advisory
-- locks, for which some wait by design, and the waits of concurrent index builds for old transactions.
-- Yields: how many, and the seconds of the longest.
SELECT count(*), coalesce(max(extract(epoch FROM w.age)), 0)::pg_catalog.float8 AS seconds
FROM (
    SELECT pg_catalog.clock_timestamp() - l.waitstart AS age
    FROM pg_catalog.pg_locks AS l
    JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
    WHERE NOT l.granted AND a.datname = pg_catalog.current_database()
        AND l.locktype IN ('relation', 'extend', 'page', 'tuple', 'transactionid')
) AS w
WHERE w.age > interval '1 second';
