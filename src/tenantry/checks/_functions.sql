-- Functions by oid ($1). Yields: oid, name (of built-in ones), volatility, source (of SQL and PL/pgSQL), body (of the
-- SQL standard's form, as a tree), pinned (the search path of Tenantry's own functions), definer; by oid.
SELECT
    f.oid,
    CASE WHEN f.oid < 16384 THEN f.proname ELSE '' END AS name,
    f.provolatile AS volatility,
    CASE WHEN l.lanname IN ('sql', 'plpgsql') AND f.oid >= 16384 THEN f.prosrc ELSE '' END AS source,
    coalesce(f.prosqlbody::pg_catalog.text, '') AS body,
    coalesce(f.proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp'] AS pinned,
    f.prosecdef AS definer
FROM pg_catalog.pg_proc AS f
JOIN pg_catalog.pg_language AS l ON l.oid = f.prolang
WHERE f.oid = ANY ($1::pg_catalog.oid[])
ORDER BY f.oid;
