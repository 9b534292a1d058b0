-- Settings that sessions of this database begin with.
-- Yields: role ('' for every role), here (only in this database), name, value; by role and name.
SELECT
    coalesce(r.rolname, '') AS role, s.setdatabase <> 0 AS here,
    pg_catalog.split_part(c.setting, '=', 1) AS name,
    pg_catalog.substr(c.setting, pg_catalog.strpos(c.setting, '=') + 1) AS value
FROM pg_catalog.pg_db_role_setting AS s
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (setting)
WHERE s.setdatabase = 0 OR d.datname = pg_catalog.current_database()
ORDER BY 1, 2, 3;
