-- id: 509
-- slug: definer-sets-tenant
-- level: warning
-- title: A SECURITY DEFINER function that sets the tenant
-- controls: SOC 2 CC6.1
-- needs: setting app
-- why: Whoever may call it chooses the tenant, also where set_config itself is taken away.
-- fix: Let it take a signed token, and not the id of a tenant.
-- sabotage:
--   CREATE FUNCTION {schema}.sabotage(text) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT pg_catalog.set_config(''{setting}'', $1, true)';
--   ALTER FUNCTION {schema}.sabotage(text) OWNER TO {owner};
--   REVOKE EXECUTE ON FUNCTION {schema}.sabotage(text) FROM PUBLIC;
--   GRANT EXECUTE ON FUNCTION {schema}.sabotage(text) TO {app};
SELECT
    proc.label AS object, '' AS detail,
    pg_catalog.format('%s mentions %s and sets settings', proc.label, param.p ->> 'setting') AS message
FROM param
CROSS JOIN proc
WHERE proc.definer AND proc.callable AND NOT proc.context
  AND proc.source ~* '\m(set_config|set\s+(local|session))\M'
  AND pg_catalog.strpos(pg_catalog.lower(proc.source), pg_catalog.lower(param.p ->> 'setting')) > 0;
