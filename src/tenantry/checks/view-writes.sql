-- id: 520
-- slug: view-writes
-- level: error
-- title: A view or a rule through which the application writes as somebody whom no policy binds
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: What a rule does to another table runs with the rights of its relation's owner, also where a view is
--   security_invoker; so does an INSTEAD OF trigger whose function is SECURITY DEFINER. The caller chooses the new row,
--   and so whose row is written.
-- fix: Make the function SECURITY INVOKER and write through a trigger rather than a rule; or let the owner be a role
--   that forced policies bind.
-- sabotage:
--   CREATE VIEW {schema}.sabotage WITH (security_invoker) AS SELECT * FROM {table};
--   CREATE FUNCTION {schema}.sabotage() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END';
--   CREATE TRIGGER sabotage INSTEAD OF UPDATE ON {schema}.sabotage FOR EACH ROW EXECUTE FUNCTION {schema}.sabotage();
--   GRANT SELECT, UPDATE ON {schema}.sabotage TO {app};
WITH written AS (
    SELECT rel.oid, rel.label, rel.owner
    FROM rel
    WHERE rel.kind IN ('v', 'r', 'p')
      AND (
          NOT EXISTS (SELECT FROM role)
          OR EXISTS (SELECT FROM access WHERE access.oid = rel.oid AND access.word IN ('INSERT', 'UPDATE', 'DELETE'))
      )
)
SELECT
    written.label AS object, t.tgname AS detail,
    pg_catalog.format('trigger %s runs %s with the rights of %s', t.tgname, proc.label, proc.owner_name) AS message
FROM written
JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = written.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
JOIN proc ON proc.oid = t.tgfoid
WHERE t.tgtype::pg_catalog.int4 & 64 <> 0 AND proc.definer AND proc.free
UNION ALL
SELECT
    written.label, r.rulename,
    pg_catalog.format('rule %s is about %s and runs with the rights of %s', r.rulename, pg_catalog.string_agg(DISTINCT mine.label, ', ' ORDER BY mine.label), o.rolname)
FROM written
JOIN pg_catalog.pg_roles AS o ON o.oid = written.owner
JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = written.oid AND r.rulename <> '_RETURN' AND r.ev_enabled IN ('O', 'A')
JOIN pg_catalog.pg_depend AS d
  ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
 AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
JOIN mine ON mine.oid = d.refobjid AND mine.oid <> written.oid
WHERE o.rolsuper OR o.rolbypassrls OR NOT mine.forced AND pg_catalog.pg_has_role(o.oid, mine.owner, 'USAGE')
GROUP BY written.label, r.rulename, o.rolname;
