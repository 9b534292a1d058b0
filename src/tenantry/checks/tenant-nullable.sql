-- id: 410
-- slug: tenant-nullable
-- level: error
-- title: A tenant column that may be NULL
-- controls: SOC 2 CC6.1, PI1.5
-- needs: tenancy
-- why: A row without a tenant is seen by nobody, and no composite foreign key checks it: with a NULL among its
--   columns a reference is not looked at.
-- fix: ALTER TABLE … ALTER COLUMN tenant_id SET NOT NULL, after a backfill.
-- sabotage:
--   ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL;
SELECT
    mine.label AS object, a.attname AS detail,
    pg_catalog.format('%s of %s may be NULL', a.attname, mine.label) AS message
FROM mine
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = mine.oid AND a.attnum = mine.col
WHERE mine.scope = 'tenant' AND (
    NOT a.attnotnull
    OR EXISTS (
        -- PostgreSQL 18 also knows NOT NULL that old rows need not meet.
        SELECT FROM pg_catalog.pg_constraint AS k
        WHERE k.contype = 'n' AND k.conrelid = mine.oid AND k.conkey = ARRAY[mine.col] AND NOT k.convalidated
    )
);
