-- Event triggers that the statements of the plan fire: they may refuse one, or change what it made.
-- Yields: level, object, message.
SELECT
    'warn' AS level,
    'event trigger ' || t.evtname AS object,
    'fires at ' || t.evtevent || ' of statements of the plan'
    || coalesce(' (' || (
        SELECT pg_catalog.string_agg(tag, ', ' ORDER BY tag)
        FROM pg_catalog.unnest(t.evttags) AS tag
        WHERE tag = ANY (%(tags)s::pg_catalog.text[])
    ) || ')', '')
    || coalesce(', and belongs to extension ' || e.extname, '')
    || '; see that it refuses and changes nothing, or ALTER EVENT TRIGGER … DISABLE for the time' AS message
FROM pg_catalog.pg_event_trigger AS t
LEFT JOIN pg_catalog.pg_depend AS d
    ON d.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass AND d.objid = t.oid
    AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
WHERE t.evtenabled IN ('O', 'A')
  AND t.evtevent IN ('ddl_command_start', 'ddl_command_end', 'sql_drop')
  AND (t.evttags IS NULL OR t.evttags && %(tags)s::pg_catalog.text[])
  AND pg_catalog.cardinality(%(tags)s::pg_catalog.text[]) > 0
ORDER BY 2;
