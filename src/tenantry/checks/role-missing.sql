-- id: 101
-- slug: role-missing
-- level: error
-- title: The application's role does not exist
-- controls: SOC 2 CC6.1
-- why: Nothing can be said about a role that is not there: its privileges, its memberships and the policies that bind
--   it were not looked at.
-- fix: Name the role that the application logs in as, with --app-role, --app-dsn or [roles] app.
-- sabotage:
--   ALTER ROLE {app} RENAME TO sabotage;
SELECT w.name AS object, '' AS detail, pg_catalog.format('there is no role %s on this server', w.name) AS message
FROM param
CROSS JOIN pg_catalog.jsonb_array_elements_text(param.p -> 'roles') AS w (name)
WHERE NOT EXISTS (SELECT FROM role WHERE role.name = w.name);
