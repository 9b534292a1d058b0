-- id: 518
-- slug: context-key-readable
-- level: error
-- title: The application reaches the keys that tenants are signed with
-- controls: SOC 2 CC6.1
-- needs: app
-- why: Whoever reads a key, writes one or may have a value signed says any tenant it likes, and the server takes it.
-- fix: REVOKE ALL ON the table of keys and REVOKE EXECUTE ON the function that signs FROM PUBLIC and from the
--   application; then make a new key and retire the old ones.
-- sabotage:
--   CREATE SCHEMA sabotage AUTHORIZATION {owner};
--   CREATE TABLE sabotage.keys (id text, inner_pad bytea, outer_pad bytea);
--   ALTER TABLE sabotage.keys OWNER TO {owner};
--   GRANT USAGE ON SCHEMA sabotage TO {app};
--   GRANT SELECT ON sabotage.keys TO {app};
WITH key AS (
    SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS label, n.oid AS namespace
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
      AND 2 = (
          SELECT pg_catalog.count(*)
          FROM pg_catalog.pg_attribute AS a
          WHERE a.attrelid = c.oid AND a.attname IN ('inner_pad', 'outer_pad')
            AND a.atttypid = 'pg_catalog.bytea'::pg_catalog.regtype AND NOT a.attisdropped
      )
)
SELECT key.label AS object, '' AS detail, pg_catalog.format('%s has %s on it', reach.who, pg_catalog.string_agg(DISTINCT w.word, ', ' ORDER BY w.word)) AS message
FROM key
JOIN reach ON pg_catalog.has_schema_privilege(reach.oid, key.namespace, 'USAGE')
CROSS JOIN LATERAL pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS w (word)
WHERE pg_catalog.has_table_privilege(reach.oid, key.oid, w.word)
   OR CASE WHEN w.word IN ('SELECT', 'INSERT', 'UPDATE') THEN pg_catalog.has_any_column_privilege(reach.oid, key.oid, w.word) END
GROUP BY key.label, reach.who
UNION ALL
SELECT proc.label, '', pg_catalog.format('%s reads the keys, and the application may call it', proc.label)
FROM proc
WHERE proc.callable AND NOT proc.context AND proc.source ~ '\minner_pad\M';
