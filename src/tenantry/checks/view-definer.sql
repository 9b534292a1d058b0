-- id: 501
-- slug: view-definer
-- level: error
-- title: A view that shows every tenant's rows
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: Without security_invoker a view reads with the rights of its owner, whom no policy binds here; views on top of
--   it inherit that, whatever they say of themselves. A view that can be updated writes across tenants, too.
-- fix: ALTER VIEW … SET (security_invoker = true), on every view of the chain.
-- sabotage:
--   CREATE VIEW {schema}.sabotage AS SELECT * FROM {table};
--   GRANT SELECT ON {schema}.sabotage TO {app};
SELECT
    chain.label AS object, '' AS detail,
    pg_catalog.format('%s reads %s with the rights of %s, whom no policy binds', chain.label, pg_catalog.string_agg(DISTINCT mine.label, ', '), o.rolname) AS message
FROM chain
JOIN mine ON mine.oid = chain.base
JOIN pg_catalog.pg_roles AS o ON o.oid = chain.owner
WHERE chain.kind = 'v' AND NOT chain.invoker AND chain.reached
  AND (o.rolsuper OR o.rolbypassrls OR NOT mine.forced AND pg_catalog.pg_has_role(o.oid, mine.owner, 'USAGE'))
GROUP BY chain.label, o.rolname;
