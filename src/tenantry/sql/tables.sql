-- Tables, partitioned tables, partitions and foreign tables.
-- Yields: oid, schema, name, kind, owner, rules as "name (EVENT)", row_security, forced, partition (parents then holds
-- the one table it is a part of), parents as {{schema,name},...}, partition_key, columns_ever (dropped ones too),
-- extension, unlogged, of_type (NULL for a table with columns of its own), rows and bytes (with indexes and TOAST); by schema and name.
-- Both sizes are as of the last VACUUM or ANALYZE: asking the files of thousands of tables is slow.
WITH inheritance AS (
    SELECT i.inhrelid, pg_catalog.array_agg(ARRAY[n.nspname, p.relname] ORDER BY i.inhseqno) AS parents
    FROM pg_catalog.pg_inherits AS i
    JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.relnamespace
    WHERE p.relkind IN ('r', 'p', 'f')
    GROUP BY i.inhrelid
), rules AS (
    SELECT
        r.ev_class,
        pg_catalog.array_agg(
            pg_catalog.format(
                '%s (%s)', r.rulename,
                CASE r.ev_type
                    WHEN '1' THEN 'SELECT' WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT' ELSE 'DELETE'
                END
            )
            ORDER BY r.rulename
        ) AS rules
    FROM pg_catalog.pg_rewrite AS r
    WHERE r.rulename <> '_RETURN'
    GROUP BY r.ev_class
), index_pages AS (
    SELECT x.indrelid, pg_catalog.sum(i.relpages) AS pages
    FROM pg_catalog.pg_index AS x
    JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
    GROUP BY x.indrelid
)
SELECT
    c.oid,
    n.nspname AS schema,
    c.relname AS name,
    CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned' ELSE 'foreign' END AS kind,
    pg_catalog.pg_get_userbyid(c.relowner) AS owner,
    coalesce(rules.rules, '{}') AS rules,
    c.relrowsecurity AS row_security,
    c.relforcerowsecurity AS forced,
    c.relispartition AS partition,
    coalesce(inheritance.parents, '{}') AS parents,
    ARRAY(
        SELECT coalesce(a.attname, '(expression)')
        FROM pg_catalog.unnest(p.partattrs::pg_catalog.int2[]) WITH ORDINALITY AS k (attnum, position)
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum AND k.attnum <> 0
        ORDER BY k.position
    ) AS partition_key,
    c.relnatts AS columns_ever,
    e.extname AS extension,
    c.relpersistence = 'u' AS unlogged,
    CASE WHEN c.reloftype <> 0 THEN pg_catalog.format_type(c.reloftype, NULL) END AS of_type,
    greatest(c.reltuples, 0)::pg_catalog.int8 AS rows,
    ((c.relpages + coalesce(t.relpages, 0) + coalesce(index_pages.pages, 0) + coalesce(toast_pages.pages, 0))
        * pg_catalog.current_setting('block_size')::pg_catalog.int8)::pg_catalog.int8 AS bytes
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = c.oid
LEFT JOIN pg_catalog.pg_class AS t ON t.oid = c.reltoastrelid
LEFT JOIN pg_catalog.pg_depend AS d
    ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.objsubid = 0
    AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
LEFT JOIN inheritance ON inheritance.inhrelid = c.oid
LEFT JOIN rules ON rules.ev_class = c.oid
LEFT JOIN index_pages ON index_pages.indrelid = c.oid
LEFT JOIN index_pages AS toast_pages ON toast_pages.indrelid = c.reltoastrelid
WHERE c.relkind IN ('r', 'p', 'f')
  AND n.nspname !~ '^(pg_.*|information_schema|tenantry)$'
ORDER BY n.nspname, c.relname;
