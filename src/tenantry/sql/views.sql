-- Views and materialized views.
-- Yields: oid, schema, name, materialized, owner, security_invoker, reads as {{schema,name},...} and keys as
-- {{schema,table,constraint},...}: what the view's rules depend on, directly; extension. By schema and name.
WITH depends AS (
    SELECT DISTINCT r.ev_class, d.refclassid, d.refobjid
    FROM pg_catalog.pg_rewrite AS r
    JOIN pg_catalog.pg_depend AS d
      ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
), reads AS (
    SELECT d.ev_class, pg_catalog.array_agg(ARRAY[n.nspname, c.relname] ORDER BY n.nspname, c.relname) AS reads
    FROM depends AS d
    JOIN pg_catalog.pg_class AS c ON c.oid = d.refobjid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.refobjid <> d.ev_class
      AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
    GROUP BY d.ev_class
), keys AS (
    SELECT
        d.ev_class,
        pg_catalog.array_agg(
            ARRAY[n.nspname, c.relname, k.conname] ORDER BY n.nspname, c.relname, k.conname
        ) AS keys
    FROM depends AS d
    JOIN pg_catalog.pg_constraint AS k ON k.oid = d.refobjid
    JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE d.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
    GROUP BY d.ev_class
)
SELECT
    c.oid,
    n.nspname AS schema,
    c.relname AS name,
    c.relkind = 'm' AS materialized,
    pg_catalog.pg_get_userbyid(c.relowner) AS owner,
    EXISTS (
        SELECT FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
        WHERE o.option_name = 'security_invoker' AND o.option_value::pg_catalog.bool
    ) AS security_invoker,
    coalesce(reads.reads, '{}') AS reads,
    coalesce(keys.keys, '{}') AS keys,
    e.extname AS extension
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN reads ON reads.ev_class = c.oid
LEFT JOIN keys ON keys.ev_class = c.oid
LEFT JOIN pg_catalog.pg_depend AS d
    ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
WHERE c.relkind IN ('v', 'm')
  AND n.nspname !~ '^(pg_.*|information_schema|tenantry)$'
ORDER BY n.nspname, c.relname;
