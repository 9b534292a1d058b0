-- id: 606
-- slug: grant-sequence
-- level: warning
-- title: A sequence that the application may set
-- controls: SOC 2 CC6.3, A1.2
-- needs: app
-- why: setval makes the ids of other tenants collide, so that their inserts fail. GRANT ALL ON ALL SEQUENCES gives
--   it.
-- fix: REVOKE UPDATE ON SEQUENCE … FROM the role that has it; USAGE is enough for a default, identity columns need
--   nothing.
-- sabotage:
--   CREATE SEQUENCE {schema}.sabotage;
--   GRANT UPDATE ON SEQUENCE {schema}.sabotage TO {app};
SELECT rel.label AS object, '' AS detail, pg_catalog.format('the application may set the sequence %s', rel.label) AS message
FROM rel
WHERE rel.owner NOT IN (SELECT oid FROM reach)
  AND CASE WHEN rel.kind = 'S' THEN EXISTS (
    SELECT FROM reach
    WHERE pg_catalog.has_schema_privilege(reach.oid, rel.namespace, 'USAGE')
      AND pg_catalog.has_sequence_privilege(reach.oid, rel.oid, 'UPDATE')
) ELSE false END;
