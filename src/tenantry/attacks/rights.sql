-- What a role may do with relations. Parameters: role; schemas and names of the relations, in the same order.
-- Yields: schema, name, select (any column), whole (SELECT of the table), insert (columns), update (columns), words (all
-- privileges), columns (that it may read), closed (commands that no permissive policy is for, under row level security).
SELECT n.nspname, c.relname,
    s.usage AND pg_catalog.has_any_column_privilege(%(role)s, c.oid, 'SELECT'),
    s.usage AND pg_catalog.has_table_privilege(%(role)s, c.oid, 'SELECT'),
    ARRAY(SELECT a.attname FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND s.usage
        AND pg_catalog.has_column_privilege(%(role)s, c.oid, a.attnum, 'INSERT') ORDER BY a.attnum),
    ARRAY(SELECT a.attname FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND s.usage
        AND pg_catalog.has_column_privilege(%(role)s, c.oid, a.attnum, 'UPDATE') ORDER BY a.attnum),
    ARRAY(SELECT p FROM pg_catalog.unnest(
            ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p
        WHERE s.usage AND (pg_catalog.has_table_privilege(%(role)s, c.oid, p)
        OR p IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') AND pg_catalog.has_any_column_privilege(%(role)s, c.oid, p)) ORDER BY p),
    ARRAY(SELECT a.attname FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND s.usage
        AND pg_catalog.has_column_privilege(%(role)s, c.oid, a.attnum, 'SELECT') ORDER BY a.attnum),
    ARRAY(SELECT v.word FROM (VALUES ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) AS v (word, command)
        WHERE c.relrowsecurity AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy AS p
            WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd::text IN ('*', v.command)
            AND EXISTS (SELECT FROM pg_catalog.unnest(p.polroles) AS r (oid)
                WHERE CASE r.oid WHEN 0 THEN true ELSE pg_catalog.pg_has_role(%(role)s, r.oid, 'USAGE') END)
            -- The word false. Its text is not asked for, which waits for whoever holds the table.
            AND coalesce(CASE v.command WHEN 'a' THEN coalesce(p.polwithcheck, p.polqual) ELSE p.polqual END::text, '')
                !~ '^{CONST :consttype 16 .* :constisnull false .*:constvalue 1 \[( 0)+ \]}$') ORDER BY 1)
FROM ROWS FROM (pg_catalog.unnest(%(schemas)s::text[]), pg_catalog.unnest(%(names)s::text[])) AS w (nspname, relname)
JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.nspname
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.relname
CROSS JOIN LATERAL (SELECT pg_catalog.has_schema_privilege(%(role)s, n.oid, 'USAGE') AS usage) AS s;
