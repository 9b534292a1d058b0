-- id: 207
-- slug: policy-none
-- level: warning
-- title: Rights that no policy lets through
-- controls: SOC 2 CC6.1
-- needs: app
-- why: Without a permissive policy for the command and the role, every row is refused: a query finds none and reports
--   no error. This isolates, but it is seldom meant; a policy given to another role looks like this too.
-- fix: One policy FOR ALL TO PUBLIC; or REVOKE the rights.
-- sabotage:
--   DROP POLICY {policy} ON {table};
SELECT
    rel.label AS object, '' AS detail,
    pg_catalog.format(
        'the application may %s on %s, and no permissive policy lets it',
        pg_catalog.lower(pg_catalog.string_agg(access.word, ', ' ORDER BY access.word)), rel.label
    ) AS message
FROM rel
JOIN access ON access.oid = rel.oid
JOIN (VALUES ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) AS c (word, command) ON c.word = access.word
WHERE rel.enabled
  AND NOT EXISTS (SELECT FROM arm WHERE arm.rel = rel.oid AND arm.permissive AND arm.command = c.command)
GROUP BY rel.label;
