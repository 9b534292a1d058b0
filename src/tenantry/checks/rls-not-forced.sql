-- id: 202
-- slug: rls-not-forced
-- level: error
-- title: Row level security that does not bind the owner
-- controls: SOC 2 CC6.1
-- why: Without FORCE the owner of the table, and every view or function that runs with the owner's rights, sees all
--   rows.
-- fix: ALTER TABLE … FORCE ROW LEVEL SECURITY.
-- sabotage:
--   ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;
SELECT
    rel.label AS object, '' AS detail,
    pg_catalog.format('row level security on %s does not bind its owner, %s', rel.label, pg_catalog.pg_get_userbyid(rel.owner)) AS message
FROM rel
WHERE rel.enabled AND NOT rel.forced AND coalesce(rel.scope, '') <> 'ignored';
