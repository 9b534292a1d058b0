-- The server, and what stands once for the whole database.
-- Yields one row: version (server_version_num), database, user, extensions, event_triggers as
-- "name (event, state)".
SELECT
    pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version,
    pg_catalog.current_database() AS database,
    current_user AS "user",
    ARRAY(
        SELECT e.extname FROM pg_catalog.pg_extension AS e ORDER BY e.extname
    ) AS extensions,
    ARRAY(
        SELECT pg_catalog.format(
            '%s (%s, %s)', t.evtname, t.evtevent,
            CASE t.evtenabled
                WHEN 'O' THEN 'enabled' WHEN 'D' THEN 'disabled' WHEN 'R' THEN 'replica' ELSE 'always'
            END
        )
        FROM pg_catalog.pg_event_trigger AS t
        ORDER BY t.evtname
    ) AS event_triggers;
