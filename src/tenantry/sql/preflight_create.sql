-- New schemas (the journal's first) need CREATE on the database, new tables and indexes CREATE on their schema.
-- Yields: level, object, message.
SELECT
    'stop' AS level,
    'database ' || d.datname AS object,
    current_user || ' may not make schemas in it, and the journal and the plan need some; '
    || 'let its owner run: GRANT CREATE ON DATABASE ' || pg_catalog.quote_ident(d.datname)
    || ' TO ' || pg_catalog.quote_ident(current_user) AS message
FROM pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database()
  AND NOT pg_catalog.has_database_privilege(d.oid, 'CREATE')
  AND (
      %(makes_schemas)s::pg_catalog.bool
      OR NOT EXISTS (SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'tenantry')
  )
UNION ALL
SELECT
    'stop',
    'schema ' || n.nspname,
    current_user || ' may not make anything in it; let ' || pg_catalog.pg_get_userbyid(n.nspowner)
    || ' run: GRANT CREATE ON SCHEMA ' || pg_catalog.quote_ident(n.nspname)
    || ' TO ' || pg_catalog.quote_ident(current_user)
FROM pg_catalog.pg_namespace AS n
WHERE (
      n.nspname = ANY (%(schemas)s::pg_catalog.text[])
      OR n.nspname = 'tenantry' AND %(makes_schemas)s::pg_catalog.bool
  )
  AND NOT pg_catalog.has_schema_privilege(n.oid, 'CREATE')
ORDER BY 2;
