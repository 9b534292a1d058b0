-- id: 406
-- slug: fk-switched-off
-- level: error
-- title: A foreign key whose triggers are switched off
-- controls: SOC 2 PI1.5, CC8.1
-- needs: tenancy
-- why: DISABLE TRIGGER ALL switches foreign keys off with the triggers; they look enforced in every listing.
-- fix: ALTER TABLE … ENABLE TRIGGER ALL, then look for rows that came meanwhile.
-- sabotage:
--   ALTER TABLE {child} DISABLE TRIGGER ALL;
SELECT
    mine.label AS object, k.conname AS detail,
    pg_catalog.format('%s is not checked: triggers of %s are switched off', k.conname, mine.label) AS message
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_constraint AS k ON k.oid = t.tgconstraint AND k.contype = 'f'
JOIN mine ON mine.oid = t.tgrelid
WHERE t.tgisinternal AND t.tgenabled IN ('D', 'R')
GROUP BY mine.label, k.conname;
