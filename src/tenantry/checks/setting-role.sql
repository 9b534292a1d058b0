-- id: 702
-- slug: setting-role
-- level: warning
-- title: Defaults of the application's role that change how it is bound
-- controls: SOC 2 CC6.1, CC8.1
-- needs: role
-- why: A role may change most of its own defaults, and they hold for every later connection. row_security = off turns
--   every query into an error; a search_path with a schema that others fill, or without pg_temp at its end, changes
--   what names mean.
-- fix: ALTER ROLE … RESET it; for search_path: public, pg_temp.
-- sabotage:
--   ALTER ROLE {app} SET row_security = off;
SELECT
    role.name AS object, pg_catalog.split_part(c.setting, '=', 1) AS detail,
    pg_catalog.format('sessions of %s begin with %s', role.name, c.setting) AS message
FROM role
JOIN pg_catalog.pg_db_role_setting AS s ON s.setrole IN (0, role.oid)
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (setting)
WHERE (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
  AND (
      c.setting ~ '^(row_security=off|role=|session_authorization=|session_replication_role=|local_preload_libraries=|session_preload_libraries=)'
      OR c.setting LIKE 'search_path=%' AND c.setting !~ 'pg_temp"?\s*$'
  );
