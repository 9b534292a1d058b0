-- id: 502
-- slug: view-owner
-- level: warning
-- title: A view that reads with its owner's rights
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: The policies of the tables bind its owner only as long as they are forced, and as long as the owner stays who
--   it is.
-- fix: ALTER VIEW … SET (security_invoker = true).
-- sabotage:
--   CREATE VIEW {schema}.sabotage AS SELECT * FROM {table};
--   ALTER VIEW {schema}.sabotage OWNER TO {owner};
--   GRANT SELECT ON {schema}.sabotage TO {app};
SELECT
    chain.label AS object, '' AS detail,
    pg_catalog.format('%s reads %s with the rights of %s', chain.label, pg_catalog.string_agg(DISTINCT mine.label, ', '), o.rolname) AS message
FROM chain
JOIN mine ON mine.oid = chain.base
JOIN pg_catalog.pg_roles AS o ON o.oid = chain.owner
WHERE chain.kind = 'v' AND NOT chain.invoker AND chain.reached AND NOT o.rolsuper AND NOT o.rolbypassrls
  AND (mine.forced OR NOT pg_catalog.pg_has_role(o.oid, mine.owner, 'USAGE'))
GROUP BY chain.label, o.rolname;
