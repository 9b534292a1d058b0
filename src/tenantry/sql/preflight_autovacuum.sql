-- Autovacuum: where it is off, dead rows of a backfill stay; one that prevents wraparound gives way to nobody. An
-- ordinary one is cancelled when a lock is wanted, and is no trouble.
-- Yields: level, object, message.
SELECT
    'warn' AS level,
    c.oid::pg_catalog.regclass::pg_catalog.text AS object,
    'autovacuum is off for it, so that nothing removes the dead rows of the conversion; '
    || 'ALTER TABLE … RESET (autovacuum_enabled), or VACUUM ANALYZE by hand' AS message
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_options_to_table(c.reloptions) AS o
    ON o.option_name = 'autovacuum_enabled' AND NOT o.option_value::pg_catalog.bool
WHERE c.oid = ANY (%(oids)s::pg_catalog.int8[]::pg_catalog.oid[])
UNION ALL
SELECT
    'warn', 'server',
    'autovacuum is off, so that nothing removes the dead rows of the conversion; set autovacuum = on'
WHERE pg_catalog.current_setting('autovacuum') = 'off'
UNION ALL
SELECT
    CASE
        WHEN a.query = '<insufficient privilege>' THEN 'unseen'
        WHEN pg_catalog.strpos(a.query, '(to prevent wraparound)') > 0 THEN 'stop'
        ELSE 'good'
    END,
    l.relation::pg_catalog.regclass::pg_catalog.text,
    CASE
        WHEN a.query = '<insufficient privilege>' THEN 'process ' || a.pid || ' holds a lock as VACUUM does, and '
            || current_user || ' may not look at it; let a superuser run: GRANT pg_read_all_stats TO '
            || pg_catalog.quote_ident(current_user)
        WHEN pg_catalog.strpos(a.query, '(to prevent wraparound)') > 0 THEN 'autovacuum (process ' || a.pid
            || ') freezes it to prevent wraparound and gives way to no lock; wait until it has ended '
            || '(pg_stat_progress_vacuum), it must not be cancelled'
        ELSE 'autovacuum (process ' || a.pid || ') is at it, and gives way'
    END
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.relation = ANY (%(oids)s::pg_catalog.int8[]::pg_catalog.oid[])
  AND l.mode = 'ShareUpdateExclusiveLock'
  AND (a.backend_type = 'autovacuum worker' OR a.query = '<insufficient privilege>')
ORDER BY 2, 1;
