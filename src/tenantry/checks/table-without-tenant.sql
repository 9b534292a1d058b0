-- id: 204
-- slug: table-without-tenant
-- level: error
-- title: A table that hangs on tenants' rows and does not know the tenant
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: Its rows belong to rows of tenants, by a foreign key, but it has neither a tenant column nor row level
--   security: every tenant reads all of it.
-- fix: Give it the tenant column and a composite foreign key, or isolate it through its parent (scope "through").
-- sabotage:
--   CREATE TABLE {schema}.sabotage (id {key_type} REFERENCES {table} ({key}));
--   GRANT SELECT ON {schema}.sabotage TO {app};
SELECT
    rel.label AS object, '' AS detail,
    pg_catalog.format('%s refers to rows of tenants, and nothing says whose its rows are', rel.label) AS message
FROM (
    WITH RECURSIVE below (oid) AS (
        SELECT oid FROM mine
        UNION
        SELECT k.conrelid
        FROM below
        JOIN pg_catalog.pg_constraint AS k ON k.contype = 'f' AND k.confrelid = below.oid
    )
    SELECT oid FROM below
) AS below
JOIN rel ON rel.oid = below.oid AND NOT rel.enabled AND coalesce(rel.scope, 'shared') = 'shared'
WHERE NOT EXISTS (SELECT FROM role)
   OR EXISTS (
       SELECT FROM access
       WHERE access.oid = rel.oid AND access.word IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
   );
