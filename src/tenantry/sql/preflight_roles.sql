-- Roles that the plan makes, grants, gives tables to, or acts as. PostgreSQL 16 asks for ADMIN and SET where 15 asks for
-- CREATEROLE and membership, and whoever makes a role may not act as it there unless createrole_self_grant says so.
-- Yields: level, object, message.
WITH me AS (
    SELECT
        r.rolsuper, r.rolcreaterole, r.rolbypassrls,
        pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 160000 AS modern,
        coalesce(pg_catalog.current_setting('createrole_self_grant', true), '') LIKE '%%set%%' AS own_set
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolname = current_user
), wanted AS (
    SELECT w.name, w.purpose, r.oid
    FROM (
        SELECT pg_catalog.unnest(%(made)s::pg_catalog.text[]) AS name, 'made' AS purpose
        UNION SELECT pg_catalog.unnest(%(granted)s::pg_catalog.text[]), 'granted'
        UNION SELECT pg_catalog.unnest(%(owners)s::pg_catalog.text[]), 'owner'
        UNION SELECT pg_catalog.unnest(%(acted)s::pg_catalog.text[]), 'acted'
    ) AS w
    LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = w.name
)
SELECT
    'stop' AS level,
    'role ' || wanted.name AS object,
    current_user || CASE wanted.purpose
        WHEN 'made' THEN ' has no CREATEROLE and the plan makes this role; let a superuser run: CREATE ROLE '
            || pg_catalog.quote_ident(wanted.name) || ', or ALTER ROLE ' || pg_catalog.quote_ident(current_user)
            || ' CREATEROLE'
        WHEN 'granted' THEN ' may not grant this role, which the plan does; let a superuser run: GRANT '
            || pg_catalog.quote_ident(wanted.name) || ' TO ' || pg_catalog.quote_ident(current_user)
            || ' WITH ADMIN OPTION'
        WHEN 'owner' THEN ' is no member of this role and cannot give it tables; let a superuser make the role '
            || 'and run: GRANT ' || pg_catalog.quote_ident(wanted.name) || ' TO '
            || pg_catalog.quote_ident(current_user)
        ELSE ' has BYPASSRLS and must act as this role for the test of observe mode; let a superuser make the role '
            || 'and run: GRANT ' || pg_catalog.quote_ident(wanted.name) || ' TO '
            || pg_catalog.quote_ident(current_user)
    END AS message
FROM wanted
CROSS JOIN me
WHERE NOT me.rolsuper
  AND CASE wanted.purpose
      WHEN 'made' THEN wanted.oid IS NULL AND NOT me.rolcreaterole
      WHEN 'granted' THEN wanted.oid IS NOT NULL
          AND NOT pg_catalog.pg_has_role(wanted.oid, 'MEMBER WITH ADMIN OPTION')
          AND (me.modern OR NOT me.rolcreaterole)
      WHEN 'acted' THEN me.rolbypassrls AND CASE
          WHEN wanted.oid IS NULL THEN NOT (me.modern AND me.own_set)
          ELSE NOT pg_catalog.pg_has_role(wanted.oid, CASE WHEN me.modern THEN 'SET' ELSE 'MEMBER' END)
      END
      ELSE CASE
          WHEN wanted.oid IS NULL THEN NOT (me.modern AND me.own_set)
          ELSE NOT pg_catalog.pg_has_role(wanted.oid, CASE WHEN me.modern THEN 'SET' ELSE 'MEMBER' END)
      END
  END
UNION ALL
SELECT
    'stop',
    'schema ' || n.nspname,
    'role ' || wanted.name || ' is to own tables in it and may not make any there, which PostgreSQL asks for; let '
    || pg_catalog.pg_get_userbyid(n.nspowner) || ' run: GRANT CREATE ON SCHEMA '
    || pg_catalog.quote_ident(n.nspname) || ' TO ' || pg_catalog.quote_ident(wanted.name)
FROM wanted
CROSS JOIN me
JOIN pg_catalog.pg_namespace AS n ON n.nspname = ANY (%(schemas)s::pg_catalog.text[])
WHERE wanted.purpose = 'owner' AND NOT me.rolsuper AND wanted.oid IS NOT NULL
  AND NOT pg_catalog.has_schema_privilege(wanted.oid, n.oid, 'CREATE')
ORDER BY 2;
