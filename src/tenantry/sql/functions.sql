-- Functions, procedures and aggregates, those of extensions left out.
-- Yields: schema, name, arguments (as ALTER FUNCTION wants them), language, kind, security_definer, source (the
-- body, also an SQL-standard one; empty for an aggregate), config, keys as {{schema,table,constraint},...} that an
-- SQL-standard body depends on, owner, callers (roles with EXECUTE but the owner, '' for PUBLIC), volatility; by
-- schema, name and arguments.
WITH keys AS (
    SELECT
        d.objid,
        pg_catalog.array_agg(DISTINCT ARRAY[n.nspname, c.relname, k.conname]) AS keys
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_constraint AS k ON k.oid = d.refobjid
    JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
    GROUP BY d.objid
)
SELECT
    n.nspname AS schema,
    f.proname AS name,
    pg_catalog.pg_get_function_identity_arguments(f.oid) AS arguments,
    l.lanname AS language,
    f.prokind AS kind,
    f.prosecdef AS security_definer,
    CASE f.prokind
        WHEN 'a' THEN ''
        ELSE coalesce(pg_catalog.pg_get_function_sqlbody(f.oid), f.prosrc)
    END AS source,
    coalesce(f.proconfig, '{}') AS config,
    coalesce(keys.keys, '{}') AS keys,
    pg_catalog.pg_get_userbyid(f.proowner) AS owner,
    ARRAY(
        SELECT DISTINCT coalesce(r.rolname, '')::pg_catalog.text
        FROM pg_catalog.aclexplode(coalesce(f.proacl, pg_catalog.acldefault('f', f.proowner))) AS acl
        LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = acl.grantee
        WHERE acl.grantee <> f.proowner
        ORDER BY 1
    ) AS callers,
    f.provolatile AS volatility
FROM pg_catalog.pg_proc AS f
JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
JOIN pg_catalog.pg_language AS l ON l.oid = f.prolang
LEFT JOIN keys ON keys.objid = f.oid
WHERE n.nspname !~ '^(pg_.*|information_schema|tenantry)$'
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = f.oid AND d.deptype = 'e'
  )
ORDER BY n.nspname, f.proname, pg_catalog.pg_get_function_identity_arguments(f.oid) COLLATE pg_catalog."C";
