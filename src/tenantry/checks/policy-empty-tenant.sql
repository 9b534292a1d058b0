-- id: 315
-- slug: policy-empty-tenant
-- level: warning
-- title: A tenant with an empty id would belong to everybody
-- controls: SOC 2 CC6.1
-- why: After SET LOCAL ends, the setting reads as an empty text. Rows whose tenant is the empty text are then seen,
--   and can be written, by every session without a tenant.
-- fix: A foreign key to the tenants table and a CHECK there that its key is not empty; or nullif(current_setting(…,
--   true), '') in the policy; or CHECK (tenant_id <> '') on the table.
-- sabotage:
--   CREATE TABLE {schema}.sabotage ({column} text NOT NULL);
--   ALTER TABLE {schema}.sabotage ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--   CREATE POLICY sabotage ON {schema}.sabotage USING ({column} = current_setting('{setting}', true));
SELECT
    arm.label AS object, '' AS detail,
    pg_catalog.format('nothing keeps the empty text out of the tenant of %s', arm.label) AS message
FROM arm
JOIN pg_catalog.pg_attribute AS a
  ON a.attrelid = arm.rel AND a.attnum = (arm.read ->> 'column')::pg_catalog.int2
WHERE arm.form = 'tenant' AND arm.read -> 'traits' ? 'bare-text'
  AND NOT EXISTS (
      SELECT FROM (
          -- A CHECK on that column alone, here or on what it refers to: what it says is taken on trust.
          SELECT c.conrelid AS rel, c.conkey AS cols
          FROM pg_catalog.pg_constraint AS c
          WHERE c.contype = 'c' AND c.convalidated
          UNION ALL
          SELECT f.conrelid, f.conkey
          FROM pg_catalog.pg_constraint AS f
          JOIN pg_catalog.pg_constraint AS c
            ON c.conrelid = f.confrelid AND c.conkey = f.confkey AND c.contype = 'c' AND c.convalidated
          WHERE f.contype = 'f'
      ) AS guarded
      WHERE guarded.rel = arm.rel AND guarded.cols = ARRAY[a.attnum]
  )
GROUP BY arm.label;
