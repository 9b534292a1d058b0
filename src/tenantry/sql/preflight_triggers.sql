-- Triggers that a backfill fires, or switches off for as long as each of its batches.
-- Yields: level, object, message.
SELECT
    'warn' AS level,
    c.oid::pg_catalog.regclass::pg_catalog.text AS object,
    'trigger ' || t.tgname || CASE
        WHEN c.oid = ANY (%(silenced_oids)s::pg_catalog.int8[]::pg_catalog.oid[]) THEN
            ' is switched off inside each batch of the backfill, and writers of the table wait for the batch '
            || '(about 50 ms); choose a quiet hour, or triggers = "fire" in the spec'
        ELSE ' fires for every row that the backfill fills; see that it may (mails, queues, updated_at), '
            || 'or set triggers = "disable" in the spec'
    END AS message
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
WHERE c.oid = ANY (%(filled_oids)s::pg_catalog.int8[]::pg_catalog.oid[])
  AND NOT t.tgisinternal
  AND t.tgenabled IN ('O', 'A')
  AND t.tgtype::pg_catalog.int4 & 16 <> 0
  AND pg_catalog.cardinality(t.tgattr::pg_catalog.int2[]) = 0
ORDER BY 2, 3;
