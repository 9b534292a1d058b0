-- Functions outside of system schemas that a role can call; no trigger functions, aggregates or procedures.
-- Parameter: role. Yields: schema, name, types of the arguments that must be given, variadic (the last of them),
-- definer (it runs with its owner's rights); by name and arguments.
SELECT
    n.nspname,
    p.proname,
    ARRAY(
        SELECT pg_catalog.format_type(a.type, NULL)
        FROM pg_catalog.unnest(p.proargtypes::pg_catalog.oid[]) WITH ORDINALITY AS a (type, position)
        WHERE a.position <= p.pronargs - p.pronargdefaults
        ORDER BY a.position
    ) AS types,
    p.provariadic <> 0 AND p.pronargdefaults = 0 AS variadic,
    p.prosecdef AS definer
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE p.prokind = 'f'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tenantry')
  AND n.nspname NOT LIKE 'pg\_%%'
  AND p.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
  AND pg_catalog.has_schema_privilege(%(role)s, n.oid, 'USAGE')
  AND pg_catalog.has_function_privilege(%(role)s, p.oid, 'EXECUTE')
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
  )
ORDER BY n.nspname, p.proname, p.proargtypes::text;
