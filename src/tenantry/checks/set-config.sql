-- id: 616
-- slug: set-config
-- level: warning
-- title: One SELECT is enough to choose the tenant
-- controls: SOC 2 CC6.1
-- needs: app
-- why: set_config can be called within a query: text that was injected into a SELECT switches the tenant in the
--   middle of it. SET needs a statement of its own, which most drivers refuse.
-- fix: REVOKE EXECUTE ON FUNCTION set_config FROM PUBLIC where the application sets the tenant by SET LOCAL, or by a
--   function that takes a signed token.
-- sabotage:
--   GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO {app};
SELECT reach.who AS object, '' AS detail, pg_catalog.format('%s may call set_config', reach.who) AS message
FROM param
CROSS JOIN reach
WHERE NOT (param.p ->> 'signed')::pg_catalog.bool  -- then it chooses among signed values, and there is one
  AND pg_catalog.has_function_privilege(reach.oid, 'pg_catalog.set_config(text,text,boolean)', 'EXECUTE')
GROUP BY reach.who;
