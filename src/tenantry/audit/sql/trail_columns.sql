-- Its columns in the order of their names, each with the type below its domains.
WITH RECURSIVE based AS (
    SELECT a.attname, a.atttypid, a.atttypmod, t.oid AS base, t.typtype, t.typbasetype, t.typtypmod
    FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    WHERE a.attrelid = %(relation)s AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT b.attname, b.atttypid, b.atttypmod, t.oid, t.typtype, t.typbasetype, t.typtypmod
    FROM based AS b
    JOIN pg_catalog.pg_type AS t ON t.oid = b.typbasetype
    WHERE b.typtype = 'd'
)
SELECT attname, pg_catalog.format_type(atttypid, atttypmod), pg_catalog.format_type(base, NULL)
FROM based
WHERE typtype <> 'd'
ORDER BY attname COLLATE "C";
