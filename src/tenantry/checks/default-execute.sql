-- id: 612
-- slug: default-execute
-- level: note
-- title: Functions that will be made may be called by everybody
-- controls: SOC 2 CC6.3, CC8.1
-- needs: tenancy
-- why: EXECUTE goes to PUBLIC with every new function. A SECURITY DEFINER function made by an owner of tables is open
--   to all until somebody revokes it.
-- fix: ALTER DEFAULT PRIVILEGES FOR ROLE … REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC.
-- sabotage:
--   ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
SELECT
    o.rolname AS object, '' AS detail,
    pg_catalog.format('everybody may call a function that %s makes', o.rolname) AS message
FROM (SELECT DISTINCT owner FROM mine WHERE owner NOT IN (SELECT oid FROM reach)) AS owners
JOIN pg_catalog.pg_roles AS o ON o.oid = owners.owner
LEFT JOIN pg_catalog.pg_default_acl AS a ON a.defaclrole = o.oid AND a.defaclnamespace = 0 AND a.defaclobjtype = 'f'
WHERE a.oid IS NULL
   OR EXISTS (SELECT FROM pg_catalog.aclexplode(a.defaclacl) AS acl WHERE acl.grantee = 0);
