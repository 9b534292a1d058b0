-- id: 112
-- slug: role-function-owner
-- level: error
-- title: The application may replace functions that others run
-- controls: SOC 2 CC6.1, CC8.1
-- needs: role
-- why: Whoever owns a function may put any other body in it. A policy, a trigger or a view that calls it then does
--   what the application wants, with the rights of whoever is there.
-- fix: ALTER FUNCTION … OWNER TO a NOLOGIN role.
-- sabotage:
--   CREATE FUNCTION {schema}.sabotage() RETURNS integer LANGUAGE sql AS 'SELECT 1';
--   ALTER FUNCTION {schema}.sabotage() OWNER TO {app};
SELECT
    proc.label AS object, '' AS detail,
    pg_catalog.format('%s %s', reach.who, CASE WHEN reach.itself THEN 'owns it' ELSE 'may become its owner, ' || reach.name END) AS message
FROM proc
JOIN reach ON reach.oid = proc.owner;
