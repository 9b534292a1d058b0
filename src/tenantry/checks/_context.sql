-- Functions that may be Tenantry's own, by their names ($1). Yields: oid, source; by oid.
SELECT f.oid, f.prosrc AS source
FROM pg_catalog.pg_proc AS f
WHERE f.oid >= 16384 AND f.proname = ANY ($1::pg_catalog.text[])
ORDER BY f.oid;
