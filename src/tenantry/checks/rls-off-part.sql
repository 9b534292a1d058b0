-- id: 203
-- slug: rls-off-part
-- level: error
-- title: A partition or child table that can be read past the policies of its parent
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: Policies of the parent apply to queries that name the parent. Whoever may name the partition or the
--   inheritance child reads and writes it without them.
-- fix: REVOKE all rights on it (those on the parent are enough), or ENABLE and FORCE row level security with the
--   policy on it too.
-- sabotage:
--   CREATE TABLE {schema}.sabotage () INHERITS ({table});
--   CREATE INDEX ON {schema}.sabotage ({column});
--   ALTER TABLE {schema}.sabotage OWNER TO {owner};
--   GRANT SELECT ON {schema}.sabotage TO {app};
SELECT
    mine.label AS object, '' AS detail,
    pg_catalog.format('%s is part of a table of tenants, has no row level security and can be named', mine.label) AS message
FROM mine
WHERE mine.child AND NOT mine.enabled AND mine.kind IN ('r', 'p')
  AND (
      NOT EXISTS (SELECT FROM role)
      OR EXISTS (
          SELECT FROM access
          WHERE access.oid = mine.oid AND access.word IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
      )
  );
