-- Columns of tables, dropped ones left out; also those of Tenantry's own tables, since foreign keys may name them.
-- Yields: relation (oid), number, name, type, base (the type below a domain, else NULL), not_null (false for a NOT
-- NULL that is not validated: rows may break it), default (or the expression that generates the column), generated,
-- identity, collation (quoted; NULL when it is the type's own), deterministic, inherited; by position.
-- A default reads no column. Deparsed without its table, it spares the server loading that table's description.
WITH RECURSIVE domains AS (
    SELECT t.oid, t.typbasetype AS type, t.typtypmod AS modifier
    FROM pg_catalog.pg_type AS t
    WHERE t.typtype = 'd'
    UNION ALL
    SELECT d.oid, t.typbasetype, t.typtypmod
    FROM domains AS d
    JOIN pg_catalog.pg_type AS t ON t.oid = d.type AND t.typtype = 'd'
), bases AS (
    SELECT d.oid, pg_catalog.format_type(d.type, d.modifier) AS base
    FROM domains AS d
    JOIN pg_catalog.pg_type AS t ON t.oid = d.type AND t.typtype <> 'd'
), unproven AS (
    SELECT k.conrelid, k.conkey[1] AS attnum
    FROM pg_catalog.pg_constraint AS k
    WHERE k.contype = 'n' AND NOT k.convalidated
)
SELECT
    a.attrelid AS relation,
    a.attnum AS number,
    a.attname AS name,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
    bases.base,
    a.attnotnull AND unproven.attnum IS NULL AS not_null,
    pg_catalog.pg_get_expr(d.adbin, CASE a.attgenerated WHEN '' THEN 0 ELSE a.attrelid END) AS default,
    a.attgenerated AS generated,
    a.attidentity AS identity,
    CASE
        WHEN a.attcollation <> t.typcollation THEN pg_catalog.format('%I.%I', s.nspname, l.collname)
    END AS collation,
    coalesce(l.collisdeterministic, true) AS deterministic,
    a.attinhcount > 0 AS inherited
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN bases ON bases.oid = a.atttypid
LEFT JOIN unproven ON unproven.conrelid = a.attrelid AND unproven.attnum = a.attnum
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation
LEFT JOIN pg_catalog.pg_namespace AS s ON s.oid = l.collnamespace
WHERE c.relkind IN ('r', 'p', 'f')
  AND n.nspname !~ '^(pg_.*|information_schema)$'
  AND a.attnum > 0
  AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum;
