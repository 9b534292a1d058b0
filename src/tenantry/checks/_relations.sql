-- Tables of the schemas in $1.
-- Yields: oid, schema, name, parents (oids), columns (JSON: name to number), guarded (a trigger of the trail's name);
-- by schema and name.
SELECT
    c.oid,
    n.nspname AS schema,
    c.relname AS name,
    ARRAY(
        SELECT i.inhparent FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno
    ) AS parents,
    coalesce(cols.columns, '{}') AS columns,
    EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = c.oid AND t.tgname = 'no_audit_update'
    ) AS guarded
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN (
    SELECT a.attrelid, pg_catalog.jsonb_object_agg(a.attname, a.attnum) AS columns
    FROM pg_catalog.pg_attribute AS a
    WHERE NOT a.attisdropped AND a.attnum > 0
    GROUP BY a.attrelid
) AS cols ON cols.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY ($1::pg_catalog.text[])
ORDER BY n.nspname, c.relname;
