-- id: 504
-- slug: foreign-table
-- level: error
-- title: A foreign table that the application reaches
-- controls: SOC 2 CC6.1, CC6.6
-- needs: app
-- why: The other server sees the role of the user mapping and no tenant. A foreign table cannot have row level
--   security here.
-- fix: REVOKE all rights on it; or map to a role that policies bind over there, and send the tenant along.
-- sabotage:
--   CREATE FOREIGN DATA WRAPPER sabotage;
--   CREATE SERVER sabotage FOREIGN DATA WRAPPER sabotage;
--   CREATE FOREIGN TABLE {schema}.sabotage (id integer) SERVER sabotage;
--   GRANT SELECT ON {schema}.sabotage TO {app};
SELECT
    rel.label AS object, '' AS detail,
    pg_catalog.format('the application may %s on the foreign table %s', pg_catalog.lower(pg_catalog.string_agg(access.word, ', ' ORDER BY access.word)), rel.label) AS message
FROM rel
JOIN access ON access.oid = rel.oid AND access.word IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
WHERE rel.kind = 'f'
GROUP BY rel.label;
