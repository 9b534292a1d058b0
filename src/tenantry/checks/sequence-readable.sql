-- id: 607
-- slug: sequence-readable
-- level: note
-- title: A sequence that tells how much all tenants write
-- controls: SOC 2 CC6.1
-- needs: app
-- why: From the gaps between its own ids, or from pg_sequence_last_value, a tenant learns how many rows the others
--   added.
-- fix: GENERATED ALWAYS AS IDENTITY without a grant on the sequence still shows gaps; random ids (uuid) show nothing.
-- sabotage:
--   CREATE SEQUENCE {schema}.sabotage;
--   GRANT SELECT ON SEQUENCE {schema}.sabotage TO {app};
SELECT rel.label AS object, '' AS detail, pg_catalog.format('the application may read the sequence %s', rel.label) AS message
FROM rel
WHERE rel.owner NOT IN (SELECT oid FROM reach)
  AND CASE WHEN rel.kind = 'S' THEN EXISTS (
    SELECT FROM reach
    WHERE pg_catalog.has_schema_privilege(reach.oid, rel.namespace, 'USAGE')
      AND pg_catalog.has_sequence_privilege(reach.oid, rel.oid, 'SELECT, USAGE')
) ELSE false END;
