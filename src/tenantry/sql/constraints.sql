-- Constraints of tables. A validated NOT NULL is a property of its column and not listed, on any version; nor are the
-- clones that make a foreign key point at the partitions of the table it references.
-- Yields: relation (oid), name, kind, columns (numbers), definition, deferrable, deferred, validated, enforced,
-- inherited, period, comment, index (of a foreign key: the one referenced); and, with a meaning for foreign keys only,
-- references (oid), schema and table of that, referenced (numbers), on_update, on_delete, match, delete_columns
-- (numbers); by name.
-- Before PostgreSQL 18 pg_constraint has neither conenforced nor conperiod: the names in the LATERAL
-- subquery then mean the columns of "before".
SELECT
    k.conrelid AS relation,
    k.conname AS name,
    CASE k.contype
        WHEN 'p' THEN 'primary' WHEN 'u' THEN 'unique' WHEN 'f' THEN 'foreign' WHEN 'c' THEN 'check'
        WHEN 'x' THEN 'exclusion' WHEN 'n' THEN 'not_null' WHEN 't' THEN 'trigger'
    END AS kind,
    coalesce(k.conkey, '{}') AS columns,
    pg_catalog.pg_get_constraintdef(k.oid) AS definition,
    k.condeferrable AS deferrable,
    k.condeferred AS deferred,
    k.convalidated AS validated,
    k.conenforced AS enforced,
    k.conparentid <> 0 OR k.coninhcount > 0 AS inherited,
    k.conperiod AS period,
    o.description AS comment,
    i.relname AS index,
    r.oid AS references,
    rn.nspname AS schema,
    r.relname AS table,
    k.confkey AS referenced,
    k.confupdtype AS on_update,
    k.confdeltype AS on_delete,
    k.confmatchtype AS match,
    coalesce(k.confdelsetcols, '{}') AS delete_columns
FROM (VALUES (true, false)) AS before (conenforced, conperiod)
CROSS JOIN LATERAL (
    SELECT
        oid, conname, contype, conrelid, conkey, confrelid, confkey, conindid, conparentid, coninhcount,
        condeferrable, condeferred, convalidated, confupdtype, confdeltype, confmatchtype, confdelsetcols,
        conenforced, conperiod
    FROM pg_catalog.pg_constraint
) AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_class AS i ON i.oid = k.conindid
LEFT JOIN pg_catalog.pg_class AS r ON r.oid = k.confrelid
LEFT JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
LEFT JOIN pg_catalog.pg_constraint AS p ON p.oid = k.conparentid
LEFT JOIN pg_catalog.pg_description AS o
    ON o.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND o.objoid = k.oid AND o.objsubid = 0
WHERE n.nspname !~ '^(pg_.*|information_schema|tenantry)$'
  AND NOT (k.contype = 'n' AND k.convalidated)
  AND p.conrelid IS DISTINCT FROM k.conrelid
ORDER BY k.conname, k.conrelid;
