-- id: 602
-- slug: grant-references
-- level: error
-- title: REFERENCES
-- controls: SOC 2 CC6.3
-- needs: app
-- why: With a foreign key of its own a session learns which ids exist at other tenants, and keeps their rows from
--   being deleted. Foreign keys are checked without policies.
-- fix: REVOKE REFERENCES ON … FROM the role that has it.
-- sabotage:
--   GRANT REFERENCES ON {table} TO {app};
SELECT rel.label AS object, '' AS detail, pg_catalog.format('the application may make foreign keys to %s', rel.label) AS message
FROM rel
JOIN access ON access.oid = rel.oid AND access.word = 'REFERENCES' AND NOT access.owned
WHERE rel.kind IN ('r', 'p', 'f') AND coalesce(rel.scope, '') <> 'ignored';
