-- id: 106
-- slug: role-createrole
-- level: error
-- title: The application may create roles
-- controls: SOC 2 CC6.1, CC6.3
-- needs: role
-- why: Up to PostgreSQL 15 a role with CREATEROLE grants itself any role that is no superuser, the owner of the
--   tables included. Later versions ask for ADMIN OPTION, and still let it make roles that nobody expects.
-- fix: ALTER ROLE … NOCREATEROLE.
-- sabotage:
--   ALTER ROLE {app} CREATEROLE;
SELECT
    reach.who AS object,
    CASE WHEN reach.itself THEN '' ELSE reach.name END AS detail,
    pg_catalog.format('%s has CREATEROLE%s', reach.who, CASE WHEN reach.itself THEN '' ELSE ' through ' || reach.name END) AS message
FROM reach
JOIN pg_catalog.pg_roles AS r ON r.oid = reach.oid
WHERE r.rolcreaterole;
