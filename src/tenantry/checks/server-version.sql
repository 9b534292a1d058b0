-- id: 704
-- slug: server-version
-- level: error
-- title: A server with known holes in row level security
-- controls: SOC 2 CC7.1
-- why: Policies are only as good as the server that applies them. These holes are fixed in later minor versions.
-- fix: Install the newest minor version; it needs no dump and no upgrade.
-- sabotage:
--   SET LOCAL tenantry.pretended_version = '150002';
SELECT 'PostgreSQL' AS object, cve AS detail, message FROM bug WHERE level = 'error';
