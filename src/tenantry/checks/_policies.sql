-- Policies with their expressions as trees.
-- Yields: oid, relation (oid), permissive (and row level security is on), using, check (pg_node_tree as text, or
-- NULL); by oid.
SELECT
    p.oid,
    p.polrelid AS relation,
    p.polpermissive AND c.relrowsecurity AS permissive,
    p.polqual::pg_catalog.text AS using,
    p.polwithcheck::pg_catalog.text AS check
FROM pg_catalog.pg_policy AS p
JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
ORDER BY p.oid;
