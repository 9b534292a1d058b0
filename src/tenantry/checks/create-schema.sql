-- id: 608
-- slug: create-schema
-- level: error
-- title: A schema in which the application may create objects
-- controls: SOC 2 CC6.3, CC6.8
-- needs: app
-- why: A function or an operator that others find first runs with their rights. Schema public of a database that was
--   upgraded from PostgreSQL 14 or older lets everybody create.
-- fix: REVOKE CREATE ON SCHEMA … FROM PUBLIC and from the application's roles.
-- sabotage:
--   GRANT CREATE ON SCHEMA {schema} TO {app};
SELECT DISTINCT
    space.name AS object, '' AS detail, pg_catalog.format('the application may create objects in schema %s', space.name) AS message
FROM space
JOIN reach ON reach.oid <> space.owner AND pg_catalog.has_schema_privilege(reach.oid, space.oid, 'CREATE')
WHERE NOT EXISTS (SELECT FROM reach AS r WHERE r.oid = space.owner);
