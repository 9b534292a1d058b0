-- A standby takes no changes, and a session that is read-only by default fails at the first one.
-- Yields: level, object, message.
SELECT
    'stop' AS level,
    'server' AS object,
    'is a standby (in recovery), which takes no changes; connect to the primary' AS message
WHERE pg_catalog.pg_is_in_recovery()
UNION ALL
SELECT
    'stop',
    'database ' || pg_catalog.current_database(),
    'default_transaction_read_only is on for ' || current_user || '; turn it off for this role '
    || '(ALTER ROLE … SET default_transaction_read_only = off) or in the DSN''s options'
WHERE pg_catalog.current_setting('default_transaction_read_only') = 'on'
ORDER BY 2;
