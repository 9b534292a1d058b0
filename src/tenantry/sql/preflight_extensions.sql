-- Triggers on the plan's tables whose function is an extension's: the extension minds what happens to the table.
-- Yields: level, object, message.
SELECT
    'warn' AS level,
    c.oid::pg_catalog.regclass::pg_catalog.text AS object,
    'trigger ' || pg_catalog.string_agg(t.tgname, ', ' ORDER BY t.tgname) || ' is of extension ' || e.extname
    || ', with which Tenantry was not tried; convert a copy of the database first' AS message
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_depend AS d
    ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = t.tgfoid
    AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
WHERE c.oid = ANY (%(oids)s::pg_catalog.int8[]::pg_catalog.oid[]) AND NOT t.tgisinternal
GROUP BY c.oid, e.extname
ORDER BY 2, e.extname;
