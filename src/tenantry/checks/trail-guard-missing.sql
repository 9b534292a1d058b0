-- id: 802
-- slug: trail-guard-missing
-- level: error
-- title: Nothing refuses changes of the trail
-- controls: SOC 2 CC7.2, CC7.3
-- needs: trail
-- why: Whoever has the right, the owner included, changes or removes events and nobody notices. TRUNCATE fires no row
--   trigger and needs one of its own.
-- fix: BEFORE UPDATE, DELETE and TRUNCATE triggers FOR EACH STATEMENT that raise, ENABLE ALWAYS.
-- sabotage:
--   ALTER TABLE {trail} DISABLE TRIGGER USER;
SELECT
    mine.label AS object, '' AS detail,
    pg_catalog.format('no trigger of %s refuses %s', mine.label, pg_catalog.string_agg(w.word, ', ' ORDER BY w.word)) AS message
FROM mine
CROSS JOIN (VALUES ('UPDATE', 16), ('DELETE', 8), ('TRUNCATE', 32)) AS w (word, bit)
WHERE mine.scope = 'trail' AND NOT mine.child AND NOT EXISTS (
    -- BEFORE is 2. A plpgsql function that never raises refuses nothing.
    SELECT FROM pg_catalog.pg_trigger AS t
    JOIN pg_catalog.pg_proc AS f ON f.oid = t.tgfoid
    JOIN pg_catalog.pg_language AS l ON l.oid = f.prolang
    WHERE t.tgrelid = mine.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
      AND t.tgtype & 2 <> 0 AND t.tgtype & w.bit <> 0 AND t.tgqual IS NULL AND t.tgattr = ''
      AND (l.lanname <> 'plpgsql' OR f.prosrc ~* '\mraise\M')
)
GROUP BY mine.label;
