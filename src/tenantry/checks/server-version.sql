-- id: 704
-- slug: server-version
-- level: error
-- title: A server with known holes in row level security
-- controls: SOC 2 CC7.1
-- why: Policies are only as good as the server that applies them. These holes are fixed in later minor versions.
-- fix: Install the newest minor version; it needs no dump and no upgrade.
-- sabotage:
--   SET LOCAL tenantry.pretended_version = '150002';
WITH fixed (cve, major, minor, what) AS (
    VALUES
    ('CVE-2023-2454', 15, 3, 'CREATE SCHEMA gets past search_path'),
    ('CVE-2023-2455', 15, 3, 'policies are applied for another role'),
    ('CVE-2023-39418', 15, 4, 'MERGE skips policies'),
    ('CVE-2024-0985', 15, 6, 'REFRESH MATERIALIZED VIEW runs code of its owner'),
    ('CVE-2024-0985', 16, 2, 'REFRESH MATERIALIZED VIEW runs code of its owner'),
    ('CVE-2024-4317', 15, 7, 'statistics show values of hidden rows'),
    ('CVE-2024-4317', 16, 3, 'statistics show values of hidden rows'),
    ('CVE-2024-10976', 15, 9, 'policies below sub-queries are applied for another role'),
    ('CVE-2024-10976', 16, 5, 'policies below sub-queries are applied for another role'),
    ('CVE-2024-10976', 17, 1, 'policies below sub-queries are applied for another role'),
    ('CVE-2025-8713', 15, 14, 'statistics show values of hidden rows'),
    ('CVE-2025-8713', 16, 10, 'statistics show values of hidden rows'),
    ('CVE-2025-8713', 17, 6, 'statistics show values of hidden rows'),
    ('CVE-2026-2005', 15, 16, 'any user runs code in the server (pgcrypto)'),
    ('CVE-2026-2005', 16, 12, 'any user runs code in the server (pgcrypto)'),
    ('CVE-2026-2005', 17, 8, 'any user runs code in the server (pgcrypto)'),
    ('CVE-2026-2005', 18, 2, 'any user runs code in the server (pgcrypto)'),
    ('CVE-2026-6473', 15, 18, 'any user corrupts memory of the server'),
    ('CVE-2026-6473', 16, 14, 'any user corrupts memory of the server'),
    ('CVE-2026-6473', 17, 10, 'any user corrupts memory of the server'),
    ('CVE-2026-6473', 18, 4, 'any user corrupts memory of the server'),
    ('CVE-2026-16239', 15, 19, 'any user runs code in the server (cursors)'),
    ('CVE-2026-16239', 16, 15, 'any user runs code in the server (cursors)'),
    ('CVE-2026-16239', 17, 11, 'any user runs code in the server (cursors)'),
    ('CVE-2026-16239', 18, 6, 'any user runs code in the server (cursors)')
), server AS (
    -- A test may pretend an older server; nobody can pretend a newer one.
    SELECT least(
        param.version,
        nullif(pg_catalog.current_setting('tenantry.pretended_version', true), '')::pg_catalog.int4
    ) AS version
    FROM param
)
SELECT
    'PostgreSQL' AS object, fixed.cve AS detail,
    pg_catalog.format('%s.%s: %s, %s; fixed in %s.%s', server.version / 10000, server.version % 10000, fixed.cve, fixed.what, fixed.major, fixed.minor) AS message
FROM server
JOIN fixed ON fixed.major = server.version / 10000 AND fixed.minor > server.version % 10000;
