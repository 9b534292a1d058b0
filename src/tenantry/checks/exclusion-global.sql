-- id: 409
-- slug: exclusion-global
-- level: warning
-- title: An exclusion constraint across tenants
-- controls: SOC 2 CC6.1
-- needs: tenancy
-- why: A tenant learns from the conflict what another has there, and takes it away from others.
-- fix: EXCLUDE USING gist (tenant_id WITH =, …).
-- sabotage:
--   ALTER TABLE {table} ADD CONSTRAINT sabotage EXCLUDE USING hash ({key} WITH =);
SELECT
    mine.label AS object, k.conname AS detail,
    pg_catalog.format('%s on %s excludes rows across tenants', k.conname, mine.label) AS message
FROM mine
JOIN pg_catalog.pg_constraint AS k ON k.conrelid = mine.oid AND k.contype = 'x' AND k.conparentid = 0
WHERE mine.scope = 'tenant' AND NOT mine.col = ANY (k.conkey) AND NOT mine.kept ? k.conname;
