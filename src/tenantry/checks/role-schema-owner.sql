-- id: 105
-- slug: role-schema-owner
-- level: error
-- title: The application owns a schema or the database, or may become the owner
-- controls: SOC 2 CC6.1, CC6.3
-- needs: role
-- why: The owner of a schema may drop every table in it, whoever owns the table, and create objects that others find
--   first.
-- fix: ALTER SCHEMA … OWNER TO a NOLOGIN role; REVOKE memberships in the owner.
-- sabotage:
--   ALTER SCHEMA {schema} OWNER TO {app};
SELECT
    found.name AS object,
    reach.name AS detail,
    pg_catalog.format('%s %s %s', reach.who, CASE WHEN reach.itself THEN 'owns' ELSE 'may become the owner of' END, found.what) AS message
FROM (
    SELECT space.name, 'schema ' || space.name AS what, space.owner FROM space
    UNION ALL
    SELECT d.datname, 'database ' || d.datname, d.datdba
    FROM pg_catalog.pg_database AS d
    WHERE d.datname = pg_catalog.current_database()
) AS found
JOIN reach ON reach.oid = found.owner;
