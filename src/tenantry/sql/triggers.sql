-- Triggers that users made on tables.
-- Yields: relation (oid), name, timing, row, events, function as {schema,name}, enabled, definition, inherited,
-- update_columns; by name.
-- The bits of tgtype: 1 row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate, 64 instead of.
SELECT
    g.tgrelid AS relation,
    g.tgname AS name,
    CASE WHEN g.tgtype & 64 <> 0 THEN 'instead' WHEN g.tgtype & 2 <> 0 THEN 'before' ELSE 'after' END AS timing,
    g.tgtype & 1 <> 0 AS row,
    ARRAY(
        SELECT e.name
        FROM (VALUES (1, 4, 'insert'), (2, 16, 'update'), (3, 8, 'delete'), (4, 32, 'truncate')) AS e (position, bit, name)
        WHERE g.tgtype & e.bit <> 0
        ORDER BY e.position
    ) AS events,
    ARRAY[n.nspname, f.proname] AS function,
    g.tgenabled AS enabled,
    pg_catalog.pg_get_triggerdef(g.oid) AS definition,
    g.tgparentid <> 0 AS inherited,
    ARRAY(
        SELECT a.attname
        FROM pg_catalog.unnest(g.tgattr::pg_catalog.int2[]) WITH ORDINALITY AS u (attnum, position)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = g.tgrelid AND a.attnum = u.attnum
        ORDER BY u.position
    ) AS update_columns
FROM pg_catalog.pg_trigger AS g
JOIN pg_catalog.pg_proc AS f ON f.oid = g.tgfoid
JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
WHERE NOT g.tgisinternal
ORDER BY g.tgname, g.tgrelid;
