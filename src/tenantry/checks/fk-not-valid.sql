-- id: 405
-- slug: fk-not-valid
-- level: warning
-- title: A foreign key that was never validated
-- controls: SOC 2 PI1.5
-- needs: tenancy
-- why: Old rows may refer to another tenant's, or to none. Validated as the owner of a table with forced row level
--   security it counts as valid without a look at any row.
-- fix: ALTER TABLE … VALIDATE CONSTRAINT, as a role that policies do not bind.
-- sabotage:
--   ALTER TABLE {child} ADD COLUMN sabotage {key_type};
--   ALTER TABLE {child} ADD CONSTRAINT sabotage FOREIGN KEY ({column}, sabotage) REFERENCES {table} ({column}, {key}) NOT VALID;
SELECT
    mine.label AS object, k.conname AS detail,
    pg_catalog.format('%s of %s is NOT VALID', k.conname, mine.label) AS message
FROM pg_catalog.pg_constraint AS k
JOIN mine ON mine.oid = k.conrelid
WHERE k.contype = 'f' AND NOT k.convalidated
  AND coalesce(pg_catalog.to_jsonb(k) ->> 'conenforced', 'true') = 'true';
