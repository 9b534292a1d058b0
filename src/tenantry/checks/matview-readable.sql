-- id: 503
-- slug: matview-readable
-- level: error
-- title: A materialized view of tenants' rows that the application reads
-- controls: SOC 2 CC6.1
-- needs: tenancy app
-- why: It holds what whoever refreshed it could see, usually every tenant's rows, and cannot have row level security.
-- fix: REVOKE SELECT on it; show it through a view with security_barrier that filters by the session's tenant.
-- sabotage:
--   CREATE MATERIALIZED VIEW {schema}.sabotage AS SELECT * FROM {table};
--   GRANT SELECT ON {schema}.sabotage TO {app};
SELECT
    chain.label AS object, '' AS detail,
    pg_catalog.format('the application reads %s, which holds rows of %s', chain.label, pg_catalog.string_agg(DISTINCT mine.label, ', ')) AS message
FROM chain
JOIN mine ON mine.oid = chain.base
WHERE chain.kind = 'm' AND EXISTS (SELECT FROM access WHERE access.oid = chain.oid AND access.word = 'SELECT')
GROUP BY chain.label;
