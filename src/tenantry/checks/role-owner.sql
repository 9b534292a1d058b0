-- id: 104
-- slug: role-owner
-- level: error
-- title: The application owns relations, or may become their owner
-- controls: SOC 2 CC6.1, CC6.3
-- needs: role
-- why: The owner of a table can switch row level security off, drop its policies and its triggers; a member of the
--   owner can too. Whoever maintains an object of the application runs code that the application chose.
-- fix: Give the relations to a NOLOGIN role that nobody is a member of, and REVOKE memberships in it from the
--   application.
-- sabotage:
--   ALTER TABLE {table} OWNER TO {app};
SELECT
    reach.who AS object,
    CASE WHEN reach.itself THEN '' ELSE reach.name END AS detail,
    pg_catalog.format(
        '%s %s',
        CASE WHEN reach.itself THEN reach.who || ' owns'
             ELSE pg_catalog.format('%s may become %s, which owns', reach.who, reach.name) END,
        CASE WHEN pg_catalog.count(*) > 5 THEN pg_catalog.count(*) || ' relations, among them ' || pg_catalog.min(rel.label)
             ELSE pg_catalog.string_agg(rel.label, ', ' ORDER BY rel.label) END
    ) AS message
FROM reach
JOIN rel ON rel.owner = reach.oid
GROUP BY reach.who, reach.itself, reach.name;
