-- Tables that a subscription writes to: its workers fire no ordinary trigger, and row level security may stop them.
-- Yields: level, object, message.
SELECT
    'warn' AS level,
    c.oid::pg_catalog.regclass::pg_catalog.text AS object,
    'is written to by subscription ' || s.subname || ' of ' || pg_catalog.pg_get_userbyid(s.subowner)
    || ': its workers set no tenant and fire no fill trigger, and stop with an error where a policy binds their role; '
    || 'add the tenant column on the publisher first' AS message
FROM pg_catalog.pg_subscription_rel AS r
JOIN pg_catalog.pg_subscription AS s ON s.oid = r.srsubid
JOIN pg_catalog.pg_class AS c ON c.oid = r.srrelid
WHERE c.oid = ANY (%(oids)s::pg_catalog.int8[]::pg_catalog.oid[])
ORDER BY 2, 3;
