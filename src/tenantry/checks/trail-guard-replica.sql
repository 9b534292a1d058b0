-- id: 803
-- slug: trail-guard-replica
-- level: warning
-- title: Guards of the trail that replication mode switches off
-- controls: SOC 2 CC7.2, CC7.3
-- needs: trail
-- why: Under session_replication_role = replica a superuser, or whoever was granted it, goes past ordinary triggers.
-- fix: ALTER TABLE … ENABLE ALWAYS TRIGGER ….
-- sabotage:
--   ALTER TABLE {trail} ENABLE TRIGGER USER;
SELECT
    mine.label AS object, t.tgname AS detail,
    pg_catalog.format('trigger %s of %s rests in replication mode', t.tgname, mine.label) AS message
FROM mine
JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = mine.oid AND NOT t.tgisinternal AND t.tgenabled = 'O'
WHERE mine.scope = 'trail' AND t.tgtype & 2 <> 0 AND t.tgtype & 56 <> 0;
