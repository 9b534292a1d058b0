-- Foreign keys of one column. Yields: relation, column (number), referenced, referenced_column; by oid.
SELECT
    k.conrelid AS relation,
    k.conkey[1] AS column,
    k.confrelid AS referenced,
    k.confkey[1] AS referenced_column
FROM pg_catalog.pg_constraint AS k
WHERE k.contype = 'f' AND pg_catalog.array_length(k.conkey, 1) = 1
ORDER BY k.oid;
