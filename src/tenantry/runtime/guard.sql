-- What frees the roles of this session from row level security, or lets them free themselves, and what was
-- tampered with. Yields: role (the one logged in), why, mend (a statement, '' where none is known).
-- The roles are the one logged in, the current one, and every role either of them reaches. Since PostgreSQL 16 a
-- membership may give neither SET nor INHERIT, and then leads nowhere; before, the names in the LATERAL subquery
-- mean the columns of "before". The database's owner is in pg_database_owner without a row.
-- The setting is written as a literal that the caller replaces; it must have the value that the session began with
-- (SET LOCAL … TO DEFAULT).
WITH RECURSIVE parameter AS (
    SELECT 'app.current_tenant_id' AS setting
), memberships AS (
    SELECT m.member, m.roleid
    FROM (VALUES (true, true)) AS before (set_option, inherit_option)
    CROSS JOIN LATERAL (SELECT member, roleid, set_option, inherit_option FROM pg_catalog.pg_auth_members) AS m
    WHERE m.set_option OR m.inherit_option
    UNION
    SELECT d.datdba, r.oid
    FROM pg_catalog.pg_database AS d
    JOIN pg_catalog.pg_roles AS r ON r.rolname = 'pg_database_owner'
    WHERE d.datname = pg_catalog.current_database()
), reached (oid, name, via, leave) AS (
    SELECT r.oid, r.rolname, r.rolname, '' COLLATE "C"
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname IN (session_user, current_user)
    UNION
    SELECT r.oid, r.rolname, reached.via,
        CASE WHEN reached.leave <> '' THEN reached.leave
            WHEN r.rolname = 'pg_database_owner'
                THEN pg_catalog.format('ALTER DATABASE %I OWNER TO CURRENT_USER', pg_catalog.current_database())
            ELSE pg_catalog.format('REVOKE %I FROM %I', r.rolname, reached.via) END
    FROM reached
    JOIN memberships ON memberships.member = reached.oid
    JOIN pg_catalog.pg_roles AS r ON r.oid = memberships.roleid
), who AS (
    SELECT oid, name, via, leave,
        CASE WHEN leave = '' THEN name ELSE pg_catalog.format('%s, through %s,', via, name) END AS words
    FROM reached
), owned AS (
    SELECT c.relowner AS owner, pg_catalog.string_agg(c.oid::pg_catalog.regclass::text, ', ' ORDER BY c.oid) AS objects
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
        AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    GROUP BY c.relowner
    UNION ALL
    SELECT n.nspowner, pg_catalog.string_agg('schema ' || n.nspname, ', ' ORDER BY n.nspname)
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
        AND EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace = n.oid AND c.relrowsecurity)
    GROUP BY n.nspowner
), defaults AS (
    SELECT s.setrole, r.rolname, s.setdatabase,
        pg_catalog.split_part(c.entry, '=', 1) AS name,
        pg_catalog.substr(c.entry, pg_catalog.strpos(c.entry, '=') + 1) AS value
    FROM pg_catalog.pg_db_role_setting AS s
    LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
    LEFT JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase
    CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c (entry)
    WHERE (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
        AND (s.setrole = 0 OR r.rolname IN (session_user, current_user))
), reasons (why, mend) AS (
    SELECT words || ' is a superuser',
        CASE WHEN leave = '' THEN pg_catalog.format('ALTER ROLE %I NOSUPERUSER', name) ELSE leave END
    FROM who JOIN pg_catalog.pg_roles AS r USING (oid)
    WHERE r.rolsuper
    UNION ALL
    SELECT words || ' has BYPASSRLS',
        CASE WHEN leave = '' THEN pg_catalog.format('ALTER ROLE %I NOBYPASSRLS', name) ELSE leave END
    FROM who JOIN pg_catalog.pg_roles AS r USING (oid)
    WHERE r.rolbypassrls AND NOT r.rolsuper
    UNION ALL
    SELECT words || ' has REPLICATION and may read every change from the log',
        CASE WHEN leave = '' THEN pg_catalog.format('ALTER ROLE %I NOREPLICATION', name) ELSE leave END
    FROM who JOIN pg_catalog.pg_roles AS r USING (oid)
    WHERE r.rolreplication AND NOT r.rolsuper
    UNION ALL
    SELECT words || ' has CREATEROLE and may grant itself any role',
        CASE WHEN leave = '' THEN pg_catalog.format('ALTER ROLE %I NOCREATEROLE', name) ELSE leave END
    FROM who JOIN pg_catalog.pg_roles AS r USING (oid)
    WHERE r.rolcreaterole AND NOT r.rolsuper
        AND pg_catalog.current_setting('server_version_num')::pg_catalog.int4 < 160000
    UNION ALL
    SELECT words || ' reaches files of the server', leave
    FROM who
    WHERE name IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
    UNION ALL
    SELECT words || ' owns ' || owned.objects || ' and may switch row level security off',
        CASE WHEN leave = '' THEN pg_catalog.format('REASSIGN OWNED BY %I TO CURRENT_USER', name) ELSE leave END
    FROM who JOIN owned ON owned.owner = who.oid
    UNION ALL
    SELECT pg_catalog.format('schema %s lets %s create what hides a table', n.nspname,
            CASE WHEN acl.grantee = 0 THEN 'every role' ELSE who.name END),
        pg_catalog.format('REVOKE CREATE ON SCHEMA %I FROM %s', n.nspname,
            CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(who.name) END)
    FROM pg_catalog.pg_namespace AS n
    CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) AS acl
    LEFT JOIN who ON who.oid = acl.grantee
    WHERE acl.privilege_type = 'CREATE' AND (acl.grantee = 0 OR who.oid IS NOT NULL) AND acl.grantee <> n.nspowner
        AND n.nspname = ANY (pg_catalog.current_schemas(false))
    UNION ALL
    SELECT pg_catalog.format('%s has the default %s = %s', coalesce('role ' || d.rolname, 'every session'), d.name, d.value),
        CASE WHEN d.setrole = 0 AND d.setdatabase = 0 THEN pg_catalog.format('ALTER ROLE ALL RESET %s', d.name)
            WHEN d.setrole = 0 THEN pg_catalog.format('ALTER DATABASE %I RESET %s', pg_catalog.current_database(), d.name)
            WHEN d.setdatabase = 0 THEN pg_catalog.format('ALTER ROLE %I RESET %s', d.rolname, d.name)
            ELSE pg_catalog.format('ALTER ROLE %I IN DATABASE %I RESET %s', d.rolname, pg_catalog.current_database(), d.name)
        END
    FROM defaults AS d CROSS JOIN parameter
    -- A role may change its own defaults, so its search path is nobody's word; the database's is the owner's.
    WHERE pg_catalog.lower(d.name) IN ('role', 'row_security', 'session_replication_role', pg_catalog.lower(parameter.setting))
        OR (d.name = 'search_path' AND d.setrole <> 0)
    UNION ALL
    SELECT pg_catalog.format('this session begins with %s = %s', parameter.setting,
            pg_catalog.current_setting(parameter.setting, true)), ''
    FROM parameter
    WHERE pg_catalog.current_setting(parameter.setting, true) <> ''
        AND NOT EXISTS (SELECT FROM defaults AS d WHERE pg_catalog.lower(d.name) = pg_catalog.lower(parameter.setting))
    UNION ALL
    SELECT pg_catalog.format('this session has %s = %s', s.name, s.setting), pg_catalog.format('SET %s = DEFAULT', s.name)
    FROM pg_catalog.pg_settings AS s
    WHERE s.name = 'search_path' AND s.setting <> s.reset_val
    UNION ALL
    SELECT 'this session has row_security = off: statements fail instead of being bound', 'SET row_security = on'
    WHERE pg_catalog.current_setting('row_security') = 'off'
        AND NOT EXISTS (SELECT FROM defaults AS d WHERE d.name = 'row_security')
    UNION ALL
    SELECT 'this session has session_replication_role = ' || s.setting || ': triggers and foreign keys rest',
        'SET session_replication_role = origin'
    FROM pg_catalog.pg_settings AS s
    WHERE s.name = 'session_replication_role' AND s.setting <> 'origin'
        AND NOT EXISTS (SELECT FROM defaults AS d WHERE d.name = 'session_replication_role')
    UNION ALL
    SELECT who.words || ' may set session_replication_role, which lets triggers and foreign keys rest',
        CASE WHEN who.leave = ''
            THEN pg_catalog.format('REVOKE SET ON PARAMETER session_replication_role FROM %I', who.name)
            ELSE who.leave END
    FROM pg_catalog.pg_parameter_acl AS p
    CROSS JOIN LATERAL pg_catalog.aclexplode(p.paracl) AS acl
    JOIN who ON who.oid = acl.grantee
    WHERE p.parname = 'session_replication_role' AND acl.privilege_type = 'SET'
)
SELECT session_user::text AS role, why, mend FROM reasons ORDER BY why, mend;
