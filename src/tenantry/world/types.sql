-- Types, as far as making values of them goes.
-- Yields: oid, name (as format_type prints it), tag (its bare name), kind (pg_type.typtype), category, element (of an
-- array), base (of a domain), modifier and full (of that base, as format_type prints it), labels of an enum, subtype of
-- a range or multirange, parts (the columns' types of a composite type) and part_names (the same, with modifiers),
-- checks (of a domain); by oid.
SELECT
    t.oid,
    pg_catalog.format_type(t.oid, NULL) AS name,
    t.typname AS tag,
    t.typtype AS kind,
    t.typcategory AS category,
    CASE WHEN t.typsubscript = 'pg_catalog.array_subscript_handler'::pg_catalog.regproc THEN t.typelem ELSE 0 END AS element,
    t.typbasetype AS base,
    pg_catalog.format_type(nullif(t.typbasetype, 0), t.typtypmod) AS full,
    ARRAY(
        SELECT e.enumlabel::text FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder
    ) AS labels,
    coalesce((
        SELECT r.rngsubtype FROM pg_catalog.pg_range AS r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
    ), 0) AS subtype,
    ARRAY(
        SELECT a.atttypid FROM pg_catalog.pg_attribute AS a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
    ) AS parts,
    ARRAY(
        SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute AS a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
    ) AS part_names,
    ARRAY(
        SELECT pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint AS k
        WHERE k.contypid = t.oid
        ORDER BY k.conname
    ) AS checks
FROM pg_catalog.pg_type AS t
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
WHERE t.typtype <> 'p' AND (c.oid IS NULL OR n.nspname !~ '^(pg_.*|information_schema)$')
ORDER BY t.oid;
