-- id: 404
-- slug: fk-not-enforced
-- level: error
-- title: A foreign key that is not enforced
-- controls: SOC 2 PI1.5
-- needs: tenancy
-- since: 18
-- why: It is declared and checks nothing: a row can refer to another tenant's, or to none.
-- fix: ALTER TABLE … ALTER CONSTRAINT … ENFORCED.
-- sabotage:
--   ALTER TABLE {child} ADD COLUMN sabotage {key_type};
--   ALTER TABLE {child} ADD CONSTRAINT sabotage FOREIGN KEY ({column}, sabotage) REFERENCES {table} ({column}, {key}) NOT ENFORCED;
SELECT
    mine.label AS object, k.conname AS detail,
    pg_catalog.format('%s of %s is NOT ENFORCED', k.conname, mine.label) AS message
FROM pg_catalog.pg_constraint AS k
JOIN mine ON mine.oid = k.conrelid
WHERE k.contype = 'f' AND NOT k.conenforced;
