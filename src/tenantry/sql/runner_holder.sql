-- The session that holds the lock against a second runner in this database (its key is the parameter). Others'
-- application names are visible to superusers and to members of pg_read_all_stats.
-- Yields at most one row: pid, application_name, user.
SELECT l.pid, a.application_name, a.usename::text AS "user"
FROM pg_catalog.pg_locks AS l
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND (l.classid::pg_catalog.int8 << 32) | l.objid::pg_catalog.int8 = %(key)s
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database());
