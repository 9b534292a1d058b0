-- id: 102
-- slug: role-superuser
-- level: error
-- title: The application is, or may become, a superuser
-- controls: SOC 2 CC6.1, CC6.3
-- needs: role
-- why: No policy binds a superuser, forced or not. A membership counts as well: SET ROLE leads there, whether the
--   membership inherits or not, and a login that has stepped down by SET ROLE gets back with RESET ROLE.
-- fix: ALTER ROLE … NOSUPERUSER, or REVOKE the membership. Log in as a role of the application's own.
-- sabotage:
--   ALTER ROLE {app} SUPERUSER;
SELECT
    become.who AS object,
    CASE WHEN become.itself THEN '' ELSE become.name END AS detail,
    CASE WHEN become.itself THEN pg_catalog.format('%s is a superuser', become.who)
         ELSE pg_catalog.format('%s may become %s, a superuser', become.who, become.name) END AS message
FROM become
WHERE become.superuser;
