-- What is special about the key columns of indexes; a plain column in the default order of its type has no row.
-- Yields: index (oid), position (from 1), expression, collation (quoted; NULL when it is the column's or, for an
-- expression, the database's), opclass (quoted; NULL when it is the type's), operator of an exclusion constraint.
-- An operator class is the type's default unless another default class takes that very type: text_ops is the
-- default for varchar but not for citext. A class with parameters is always spelled out.
WITH RECURSIVE domains AS (
    SELECT t.oid, t.typbasetype AS base FROM pg_catalog.pg_type AS t WHERE t.typtype = 'd'
    UNION ALL
    SELECT d.oid, t.typbasetype
    FROM domains AS d
    JOIN pg_catalog.pg_type AS t ON t.oid = d.base AND t.typtype = 'd'
), defaults AS (
    SELECT q.opcmethod AS method, q.opcintype AS type, q.oid AS class
    FROM pg_catalog.pg_opclass AS q
    WHERE q.opcdefault
    UNION ALL
    SELECT q.opcmethod, d.oid, q.oid
    FROM pg_catalog.pg_opclass AS q
    JOIN domains AS d ON d.base = q.opcintype
    WHERE q.opcdefault
), keys AS (
    SELECT
        x.indexrelid AS index,
        k.attnum AS position,
        a.attname IS NULL AS computed,
        CASE
            WHEN x.indcollation[k.attnum - 1] NOT IN (0, coalesce(a.attcollation, 100))
            THEN x.indcollation[k.attnum - 1]
        END AS collation_oid,
        q.oid AS class_oid,
        k.attoptions AS parameters,
        NOT q.opcdefault OR k.attoptions IS NOT NULL OR coalesce(d.class <> q.oid, false) AS classed,
        e.conexclop[k.attnum] AS operator_oid
    FROM pg_catalog.pg_index AS x
    JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute AS k ON k.attrelid = x.indexrelid AND k.attnum <= x.indnkeyatts
    JOIN pg_catalog.pg_opclass AS q ON q.oid = x.indclass[k.attnum - 1]
    LEFT JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = x.indrelid AND a.attnum = nullif(x.indkey[k.attnum - 1], 0)
    LEFT JOIN defaults AS d
        ON d.method = q.opcmethod AND d.type = coalesce(a.atttypid, nullif(k.atttypid, q.opckeytype))
    LEFT JOIN pg_catalog.pg_constraint AS e ON e.conindid = x.indexrelid AND e.conexclop IS NOT NULL
    WHERE c.relkind IN ('r', 'p')
      AND n.nspname !~ '^(pg_.*|information_schema|tenantry)$'
)
SELECT
    k.index,
    k.position,
    CASE WHEN k.computed THEN pg_catalog.pg_get_indexdef(k.index, k.position, false) END AS expression,
    CASE WHEN l.oid IS NOT NULL THEN pg_catalog.format('%I.%I', ln.nspname, l.collname) END AS collation,
    CASE WHEN k.classed THEN pg_catalog.format('%I.%I%s', qn.nspname, q.opcname, (
        SELECT '(' || pg_catalog.string_agg(pg_catalog.format('%I=%L', p.option_name, p.option_value), ', ') || ')'
        FROM pg_catalog.pg_options_to_table(k.parameters) AS p
    )) END AS opclass,
    CASE WHEN o.oid IS NOT NULL THEN pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) END AS operator
FROM keys AS k
JOIN pg_catalog.pg_opclass AS q ON q.oid = k.class_oid
JOIN pg_catalog.pg_namespace AS qn ON qn.oid = q.opcnamespace
LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = k.collation_oid
LEFT JOIN pg_catalog.pg_namespace AS ln ON ln.oid = l.collnamespace
LEFT JOIN pg_catalog.pg_operator AS o ON o.oid = k.operator_oid
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace
WHERE k.computed OR k.classed OR k.collation_oid IS NOT NULL OR k.operator_oid IS NOT NULL
ORDER BY k.index, k.position;
