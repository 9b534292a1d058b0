-- id: 103
-- slug: role-bypassrls
-- level: error
-- title: The application has, or may take on, BYPASSRLS
-- controls: SOC 2 CC6.1, CC6.3
-- needs: role
-- why: A role with BYPASSRLS reads and writes the rows of every tenant. The attribute is not inherited, but SET ROLE
--   to a member role takes it on.
-- fix: ALTER ROLE … NOBYPASSRLS, or REVOKE the membership. Keep such a role for conversions, backups and proofs.
-- sabotage:
--   ALTER ROLE {app} BYPASSRLS;
SELECT
    reach.who AS object,
    CASE WHEN reach.itself THEN '' ELSE reach.name END AS detail,
    CASE WHEN reach.itself THEN pg_catalog.format('%s has BYPASSRLS', reach.who)
         ELSE pg_catalog.format('%s may become %s, which has BYPASSRLS', reach.who, reach.name) END AS message
FROM reach
JOIN pg_catalog.pg_roles AS r ON r.oid = reach.oid
WHERE r.rolbypassrls;
