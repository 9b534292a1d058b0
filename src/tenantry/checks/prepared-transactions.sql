-- id: 624
-- slug: prepared-transactions
-- level: note
-- title: Prepared transactions that another tenant's session may finish
-- controls: SOC 2 CC6.1, A1.2
-- why: PREPARE TRANSACTION leaves a transaction to the role and not to the session: whoever uses the same role sees its
--   name, and may commit it or roll it back. One that is forgotten keeps its locks.
-- fix: max_prepared_transactions = 0, unless something needs two-phase commit.
-- sabotage:
--   SET LOCAL tenantry.pretended_prepared = '5';
SELECT
    'max_prepared_transactions' AS object, '' AS detail,
    pg_catalog.format('the server allows %s prepared transactions, which belong to a role and not to a tenant', allowed.number) AS message
FROM (
    -- A test may pretend more; nobody can pretend fewer.
    SELECT greatest(
        pg_catalog.current_setting('max_prepared_transactions')::pg_catalog.int4,
        nullif(pg_catalog.current_setting('tenantry.pretended_prepared', true), '')::pg_catalog.int4
    ) AS number
) AS allowed
WHERE allowed.number > 0;
