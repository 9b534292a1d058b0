-- Who owns this database, and what was granted on it.
-- Yields: owner, role ('' for PUBLIC), privileges (NULL for none); by role.
SELECT
    pg_catalog.pg_get_userbyid(d.datdba) AS owner,
    CASE g.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(g.grantee) END AS role,
    pg_catalog.array_agg(g.privilege_type ORDER BY g.privilege_type) AS privileges
FROM pg_catalog.pg_database AS d
LEFT JOIN LATERAL pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS g ON true
WHERE d.datname = pg_catalog.current_database()
GROUP BY d.datdba, g.grantee
ORDER BY role;
