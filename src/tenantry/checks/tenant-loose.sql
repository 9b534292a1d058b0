-- id: 412
-- slug: tenant-loose
-- level: error
-- title: A tenant column whose values are equal too easily
-- controls: SOC 2 CC6.1
-- why: citext and char(n) ignore case or trailing blanks, a non-deterministic collation whatever it likes: two
--   tenants with different ids are one to the policy.
-- fix: Use uuid, bigint or text with a deterministic collation.
-- sabotage:
--   CREATE TABLE {schema}.sabotage ({column} char(8) NOT NULL);
--   ALTER TABLE {schema}.sabotage ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
--   CREATE POLICY sabotage ON {schema}.sabotage USING ({column} = nullif(current_setting('{setting}', true), '')::bpchar);
WITH compared AS (
    SELECT oid AS rel, col FROM mine WHERE col IS NOT NULL
    UNION
    SELECT rel, (using_read ->> 'column')::pg_catalog.int2 FROM policy WHERE using_form IN ('tenant', 'other')
)
SELECT
    rel.label AS object, a.attname AS detail,
    pg_catalog.format('%s of %s is %s%s', a.attname, rel.label, pg_catalog.format_type(a.atttypid, a.atttypmod),
        CASE WHEN NOT c.collisdeterministic THEN ' with a non-deterministic collation' END) AS message
FROM compared
JOIN rel ON rel.oid = compared.rel
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = compared.rel AND a.attnum = compared.col
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type AS base ON base.oid = t.typbasetype
LEFT JOIN pg_catalog.pg_collation AS c ON c.oid = a.attcollation
WHERE coalesce(base.typname, t.typname) IN ('bpchar', 'citext') OR NOT c.collisdeterministic;
