-- id: 614
-- slug: large-objects
-- level: warning
-- title: Large objects
-- controls: SOC 2 CC6.1
-- needs: app
-- why: They have no row level security: what one role may read of them, every tenant reads, and lo_unlink removes.
-- fix: Keep the bytes in a bytea column of a tenant table; REVOKE EXECUTE ON the lo_ functions FROM PUBLIC.
-- sabotage:
--   SELECT pg_catalog.lo_create(0);
SELECT
    d.datname AS object, '' AS detail,
    pg_catalog.format('the database has %s large objects, which the application can list and may read', found.n) AS message
FROM pg_catalog.pg_database AS d
CROSS JOIN (SELECT pg_catalog.count(*) AS n FROM pg_catalog.pg_largeobject_metadata) AS found
WHERE d.datname = pg_catalog.current_database() AND found.n > 0
  AND EXISTS (SELECT FROM reach WHERE pg_catalog.has_function_privilege(reach.oid, 'pg_catalog.lo_get(oid)', 'EXECUTE'));
