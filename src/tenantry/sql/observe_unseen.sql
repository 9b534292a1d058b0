-- What observe mode cannot see, because policies do not bind whoever runs it: logins, views without security_invoker over
-- watched tables, and SECURITY DEFINER functions, of superusers and of roles with BYPASSRLS.
-- Yields: kind (login, view, function), name, owner; by kind and name.
WITH RECURSIVE exempt AS (
    SELECT r.oid, r.rolname, r.rolcanlogin
    FROM pg_catalog.pg_roles AS r
    WHERE r.rolsuper OR r.rolbypassrls
), reads AS (
    SELECT w.ev_class AS reader, d.refobjid AS relation
    FROM pg_catalog.pg_rewrite AS w
    JOIN pg_catalog.pg_depend AS d
        ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> w.ev_class
    WHERE w.rulename = '_RETURN'
), reached AS (
    SELECT p.polrelid AS relation
    FROM pg_catalog.pg_policy AS p
    WHERE p.polname = 'observe' AND p.polpermissive
    UNION
    SELECT reads.reader
    FROM reads
    JOIN reached ON reached.relation = reads.relation
)
SELECT 'login' AS kind, exempt.rolname::pg_catalog.text AS name, exempt.rolname::pg_catalog.text AS owner
FROM exempt
WHERE exempt.rolcanlogin
UNION ALL
SELECT 'view', n.nspname || '.' || c.relname, exempt.rolname
FROM reached
JOIN pg_catalog.pg_class AS c ON c.oid = reached.relation AND c.relkind = 'v'
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN exempt ON exempt.oid = c.relowner
WHERE NOT coalesce((
    SELECT o.option_value::pg_catalog.bool
    FROM pg_catalog.pg_options_to_table(c.reloptions) AS o
    WHERE o.option_name = 'security_invoker'
), false)
UNION ALL
SELECT 'function', n.nspname || '.' || f.proname || '(' || pg_catalog.pg_get_function_identity_arguments(f.oid) || ')', exempt.rolname
FROM pg_catalog.pg_proc AS f
JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
JOIN exempt ON exempt.oid = f.proowner
WHERE f.prosecdef AND n.nspname !~ '^(pg_.*|information_schema|tenantry)$'
ORDER BY 1, 2;
