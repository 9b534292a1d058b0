-- Publications of the plan's tables: a subscriber gets a column that it does not know, or never gets it.
-- Yields: level, object, message.
SELECT
    'warn' AS level,
    c.oid::pg_catalog.regclass::pg_catalog.text AS object,
    'is published by ' || p.pubname || CASE
        WHEN r.prattrs IS NOT NULL THEN ' with a list of columns: the tenant column is not sent, and once the key that '
            || 'names its rows has the tenant in it, UPDATE and DELETE fail; add the column to the list'
        ELSE ': replication stops until its subscribers have the tenant column too; add it there first'
    END || CASE
        WHEN r.prqual IS NOT NULL THEN '. Its row filter does not know the tenant; look whether it should'
        ELSE ''
    END AS message
FROM pg_catalog.pg_publication AS p
CROSS JOIN LATERAL pg_catalog.pg_get_publication_tables(p.pubname) AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.relid
LEFT JOIN pg_catalog.pg_publication_rel AS r ON r.prpubid = p.oid AND r.prrelid = c.oid
WHERE c.oid = ANY (%(oids)s::pg_catalog.int8[]::pg_catalog.oid[])
ORDER BY 2, p.pubname;
