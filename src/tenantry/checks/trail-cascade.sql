-- id: 804
-- slug: trail-cascade
-- level: error
-- title: Events that go with what they tell of
-- controls: SOC 2 CC7.2, CC7.3
-- needs: trail
-- why: A cascade runs as the owner, past grants and policies: whoever deletes the row it hangs on deletes its trail.
-- fix: ALTER TABLE … DROP CONSTRAINT: a trail has no foreign keys.
-- sabotage:
--   ALTER TABLE {trail} ADD COLUMN sabotage {key_type} REFERENCES {table} ({key}) ON DELETE CASCADE;
SELECT
    mine.label AS object, k.conname AS detail,
    pg_catalog.format('%s lets a delete or an update elsewhere reach %s', k.conname, mine.label) AS message
FROM mine
JOIN pg_catalog.pg_constraint AS k ON k.conrelid = mine.oid AND k.contype = 'f'
WHERE mine.scope = 'trail' AND NOT (k.confdeltype IN ('a', 'r') AND k.confupdtype IN ('a', 'r'));
