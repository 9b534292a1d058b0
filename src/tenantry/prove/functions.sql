-- Functions that are not the server's own, with their text where that is SQL or PL/pgSQL.
-- Yields: oid, schema, name, text (empty: some other language), scalar (it yields no rows of several columns); by name
-- and arguments. An IMMUTABLE one of another language asks nothing and is left out.
SELECT
    f.oid,
    n.nspname AS schema,
    f.proname AS name,
    CASE WHEN l.lanname IN ('sql', 'plpgsql')
        THEN coalesce(pg_catalog.pg_get_function_sqlbody(f.oid), f.prosrc) ELSE ''
    END AS text,
    t.typtype IN ('b', 'd', 'e') AND NOT coalesce(f.proargmodes && '{o,b,t}', false) AS scalar
FROM pg_catalog.pg_proc AS f
JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
JOIN pg_catalog.pg_language AS l ON l.oid = f.prolang
JOIN pg_catalog.pg_type AS t ON t.oid = f.prorettype
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND (l.lanname IN ('sql', 'plpgsql') OR f.provolatile <> 'i')
  AND f.prokind = 'f'
ORDER BY n.nspname, f.proname, f.proargtypes::text;
