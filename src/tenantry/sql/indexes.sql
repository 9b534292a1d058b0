-- Indexes of tables, with those that stand behind constraints; keys.sql has what is special about their keys.
-- Yields: relation (oid), oid, name, method, columns (numbers, key columns first; 0 for an expression), key_count,
-- flags of the key columns (1 descending, 2 nulls first), unique, primary, exclusion, valid, nulls_not_distinct,
-- predicate, constraint, parent as {schema,name} or NULL, tablespace (NULL for the database's own), options,
-- clustered, replica_identity, comment; by name.
SELECT
    x.indrelid AS relation,
    x.indexrelid AS oid,
    i.relname AS name,
    m.amname AS method,
    x.indkey::pg_catalog.int2[] AS columns,
    x.indnkeyatts AS key_count,
    x.indoption::pg_catalog.int2[] AS flags,
    x.indisunique AS unique,
    x.indisprimary AS primary,
    x.indisexclusion AS exclusion,
    x.indisvalid AS valid,
    x.indnullsnotdistinct AS nulls_not_distinct,
    pg_catalog.pg_get_expr(x.indpred, x.indrelid) AS predicate,
    k.conname AS constraint,
    CASE WHEN p.oid IS NOT NULL THEN ARRAY[pn.nspname, p.relname] END AS parent,
    s.spcname AS tablespace,
    coalesce(i.reloptions, '{}') AS options,
    x.indisclustered AS clustered,
    x.indisreplident AS replica_identity,
    o.description AS comment
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_am AS m ON m.oid = i.relam
JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN pg_catalog.pg_inherits AS h ON h.inhrelid = x.indexrelid
LEFT JOIN pg_catalog.pg_class AS p ON p.oid = h.inhparent
LEFT JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
LEFT JOIN pg_catalog.pg_tablespace AS s ON s.oid = i.reltablespace
LEFT JOIN pg_catalog.pg_description AS o
    ON o.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.objoid = i.oid AND o.objsubid = 0
WHERE c.relkind IN ('r', 'p')
  AND n.nspname !~ '^(pg_.*|information_schema|tenantry)$'
ORDER BY i.relname, x.indexrelid;
