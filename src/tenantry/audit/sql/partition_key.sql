-- How the trail is partitioned, who owns it, whether row level security is on, and its statement triggers on TRUNCATE.
SELECT pg_catalog.pg_get_partkeydef(c.oid), pg_catalog.pg_get_userbyid(c.relowner), c.relrowsecurity,
    (SELECT array_agg(ARRAY[t.tgname::text, n.nspname::text, p.proname::text] ORDER BY t.tgname)
     FROM pg_catalog.pg_trigger AS t
     JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
     JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
     WHERE t.tgrelid = c.oid AND t.tgtype & 32 <> 0 AND t.tgtype & 1 = 0)
FROM pg_catalog.pg_class AS c
WHERE c.oid = %(relation)s;
