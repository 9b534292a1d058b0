-- id: 506
-- slug: definer-free
-- level: error
-- title: A function that runs as somebody whom no policy binds
-- controls: SOC 2 CC6.1, CC6.3
-- needs: app
-- why: SECURITY DEFINER lends the caller the owner's rights; this owner sees every tenant's rows, and what the
--   function returns or writes is up to its body. A resolver or a search that the spec declares, with exactly the
--   body that belongs to it, returns a tenant's id or keys of the session's tenant and is left out; so is a function by
--   which policies ask for membership, once `tenantry prove` has tried it.
-- fix: ALTER FUNCTION … OWNER TO a role that forced policies bind; or REVOKE EXECUTE FROM PUBLIC and from the
--   application; or review it and waive this.
-- sabotage:
--   CREATE FUNCTION {schema}.sabotage() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT count(*) FROM {table}';
--   REVOKE EXECUTE ON FUNCTION {schema}.sabotage() FROM PUBLIC;
--   GRANT EXECUTE ON FUNCTION {schema}.sabotage() TO {app};
SELECT
    proc.label AS object, '' AS detail,
    pg_catalog.format('%s runs with the rights of %s, and the application may call it', proc.label, proc.owner_name) AS message
FROM proc
WHERE proc.definer AND proc.free AND proc.callable AND NOT proc.trigger AND NOT proc.declared AND NOT proc.lookup;
