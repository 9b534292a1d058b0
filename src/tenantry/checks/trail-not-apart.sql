-- id: 805
-- slug: trail-not-apart
-- level: note
-- title: A trail that those who maintain the application own
-- controls: SOC 2 CC7.2, CC6.3
-- needs: trail
-- why: The owner of the table can switch its guards off; the owner of the schema can drop it, whoever owns the table.
-- fix: A schema and a table for the trail, both owned by a NOLOGIN role that nobody is a member of.
-- sabotage:
--   ALTER TABLE {trail} OWNER TO {owner};
SELECT mine.label AS object, found.detail, found.message
FROM mine
JOIN pg_catalog.pg_class AS c ON c.oid = mine.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT 'owner' AS detail, pg_catalog.format('%s belongs to %s, as do tables of tenants', mine.label, pg_catalog.pg_get_userbyid(mine.owner)) AS message
    WHERE EXISTS (SELECT FROM mine AS other WHERE other.scope = 'tenant' AND other.owner = mine.owner)
    UNION ALL
    SELECT 'schema', pg_catalog.format('%s is in schema %s, which %s owns', mine.label, n.nspname, pg_catalog.pg_get_userbyid(n.nspowner))
    WHERE n.nspowner <> mine.owner
) AS found
WHERE mine.scope = 'trail' AND NOT mine.child;
