-- id: 519
-- slug: context-not-definer
-- level: error
-- title: A function that reads the keys of tenants with its caller's rights
-- controls: SOC 2 CC6.1
-- why: It works only for who may read the keys: either the application may, and signs any tenant itself, or every
--   policy that asks it fails.
-- fix: ALTER FUNCTION … SECURITY DEFINER, or apply the plan again.
-- sabotage:
--   CREATE SCHEMA sabotage AUTHORIZATION {owner};
--   CREATE FUNCTION sabotage.tenant() RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT id FROM sabotage.keys WHERE inner_pad IS NULL); END';
--   ALTER FUNCTION sabotage.tenant() OWNER TO {owner};
SELECT
    proc.label AS object, '' AS detail,
    pg_catalog.format('%s reads keys and runs with the rights of who calls it', proc.label) AS message
FROM proc
WHERE NOT proc.definer AND NOT proc.trigger AND proc.language IN ('sql', 'plpgsql') AND proc.source ~ '\minner_pad\M';
