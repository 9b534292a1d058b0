-- id: 205
-- slug: table-unclassified
-- level: warning
-- title: A table that every tenant reaches, and that nobody declared
-- controls: SOC 2 CC6.1
-- needs: app
-- why: The application reaches it, no policy tells tenants apart in it, and nothing says that it is shared on
--   purpose. An outbox, a search index or a cache of tenants' rows looks like this.
-- fix: Declare it in the spec: tenant, through or shared; or REVOKE the application's rights on it.
-- sabotage:
--   CREATE TABLE {schema}.sabotage (id integer);
--   GRANT SELECT ON {schema}.sabotage TO {app};
WITH below AS (
    WITH RECURSIVE down (oid) AS (
        SELECT oid FROM mine
        UNION
        SELECT k.conrelid
        FROM down
        JOIN pg_catalog.pg_constraint AS k ON k.contype = 'f' AND k.confrelid = down.oid
    )
    SELECT oid FROM down
)
SELECT
    rel.label AS object, '' AS detail,
    pg_catalog.format('the application may %s every row of %s', pg_catalog.lower(pg_catalog.string_agg(access.word, ', ' ORDER BY access.word)), rel.label) AS message
FROM rel
JOIN access ON access.oid = rel.oid AND access.word IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
CROSS JOIN param
WHERE rel.kind IN ('r', 'p') AND rel.scope IS NULL
  -- With the tenant column and without row level security it is a copy: copy-unprotected.
  AND (rel.enabled OR NOT EXISTS (
      SELECT FROM pg_catalog.pg_attribute AS a
      WHERE a.attrelid = rel.oid AND a.attname = param.p ->> 'column' AND NOT a.attisdropped
  ))
  AND (
      NOT rel.enabled AND NOT EXISTS (SELECT FROM below WHERE below.oid = rel.oid)
      OR EXISTS (
          SELECT FROM arm
          WHERE arm.rel = rel.oid AND arm.permissive AND arm.part = 'using' AND arm.form = 'open' AND NOT arm.guarded
      )
  )
GROUP BY rel.label;
