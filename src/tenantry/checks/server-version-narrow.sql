-- id: 707
-- slug: server-version-narrow
-- level: warning
-- title: A server with known holes in row level security that need more than a session
-- controls: SOC 2 CC7.1
-- why: These holes are open only where something else is there too: a key that is unique across tenants, extended
--   statistics, a role that is granted while sessions run. They are fixed in later minor versions.
-- fix: Install the newest minor version; it needs no dump and no upgrade.
-- sabotage:
--   SET LOCAL tenantry.pretended_version = '150002';
SELECT
    'PostgreSQL' AS object, bug.cve AS detail,
    pg_catalog.format('%s.%s: %s; fixed in %s.%s (%s)', server.version / 10000, server.version % 10000, bug.what, bug.major, bug.minor, bug.cve) AS message
FROM (
    -- A test may pretend an older server; nobody can pretend a newer one.
    SELECT param.p, least(
        param.version,
        nullif(pg_catalog.current_setting('tenantry.pretended_version', true), '')::pg_catalog.int4
    ) AS version
    FROM param
) AS server
CROSS JOIN pg_catalog.jsonb_to_recordset(server.p -> 'bugs') AS bug (
    cve pg_catalog.text, level pg_catalog.text, what pg_catalog.text, major pg_catalog.int4, minor pg_catalog.int4
)
WHERE bug.level = 'warning' AND bug.major = server.version / 10000 AND bug.minor > server.version % 10000;
