-- id: 701
-- slug: setting-preset
-- level: error
-- title: A tenant that sessions have before they ask for one
-- controls: SOC 2 CC6.1
-- needs: setting
-- why: A default of the setting opens that tenant to every session that forgets to set one: nothing fails closed any
--   more.
-- fix: ALTER DATABASE … RESET the setting, ALTER ROLE … RESET the setting.
-- sabotage:
--   ALTER DATABASE {database} SET {setting} = 'sabotage';
SELECT
    coalesce(r.rolname, 'every role') AS object, '' AS detail,
    pg_catalog.format('sessions of %s begin with %s set', coalesce(r.rolname, 'every role'), param.p ->> 'setting') AS message
FROM param
CROSS JOIN pg_catalog.pg_db_role_setting AS s
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (setting)
WHERE (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
  AND pg_catalog.starts_with(pg_catalog.lower(c.setting), pg_catalog.lower(param.p ->> 'setting') || '=')
  AND (s.setrole = 0 OR NOT EXISTS (SELECT FROM role) OR EXISTS (SELECT FROM reach WHERE reach.oid = s.setrole))
GROUP BY 1, 3;
