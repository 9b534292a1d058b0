-- Functions by oid ($1). Yields: oid, name (of built-in ones), volatility, source (SQL functions only), body (of the
-- SQL standard's form, as a tree); by oid.
SELECT
    f.oid,
    CASE WHEN f.oid < 16384 THEN f.proname ELSE '' END AS name,
    f.provolatile AS volatility,
    CASE WHEN l.lanname = 'sql' AND f.oid >= 16384 THEN f.prosrc ELSE '' END AS source,
    coalesce(f.prosqlbody::pg_catalog.text, '') AS body
FROM pg_catalog.pg_proc AS f
JOIN pg_catalog.pg_language AS l ON l.oid = f.prolang
WHERE f.oid = ANY ($1::pg_catalog.oid[])
ORDER BY f.oid;
