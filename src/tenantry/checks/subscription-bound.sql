-- id: 618
-- slug: subscription-bound
-- level: note
-- title: A subscription that policies stop
-- controls: SOC 2 A1.2
-- needs: tenancy
-- since: 16
-- why: Applying changes to a table with row level security fails for an owner whom policies bind: replication stops.
-- fix: ALTER SUBSCRIPTION … OWNER TO a role with BYPASSRLS.
-- sabotage:
--   CREATE SUBSCRIPTION sabotage CONNECTION 'dbname=sabotage password=x' PUBLICATION p WITH (connect = false);
--   GRANT CREATE ON DATABASE {database} TO {owner};
--   GRANT pg_create_subscription TO {owner};
--   ALTER SUBSCRIPTION sabotage OWNER TO {owner};
SELECT
    s.subname AS object, '' AS detail,
    pg_catalog.format('subscription %s applies changes as %s, whom policies bind', s.subname, o.rolname) AS message
FROM pg_catalog.pg_subscription AS s
JOIN pg_catalog.pg_database AS d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()
JOIN pg_catalog.pg_roles AS o ON o.oid = s.subowner
WHERE NOT o.rolsuper AND NOT o.rolbypassrls AND EXISTS (SELECT FROM mine WHERE mine.enabled);
