-- id: 623
-- slug: activity-visible
-- level: note
-- title: Tenants see each other's running statements
-- controls: SOC 2 CC6.1
-- needs: app
-- why: A role sees the statements of all its own sessions in pg_stat_activity, with the values that are written in
--   them; all tenants share the application's role.
-- fix: ALTER ROLE … SET track_activities = off (as a superuser; the application cannot undo it), or send values as
--   bind parameters only.
-- sabotage:
--   ALTER ROLE {app} IN DATABASE {database} RESET track_activities;
SELECT
    role.name AS object, '' AS detail,
    pg_catalog.format('sessions of %s show their statements to each other', role.name) AS message
FROM role
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_db_role_setting AS s
    CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (setting)
    LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
    WHERE s.setrole IN (0, role.oid) AND c.setting = 'track_activities=off'
      AND (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
);
