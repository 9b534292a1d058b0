SELECT * FROM desks d JOIN tenants t ON t.id = d.tenant_id WHERE t.slug <> (ARRAY['globex', 'acme', 'acme'])[d.id];
SELECT * FROM drawers r JOIN desks d ON d.id = r.desk_id WHERE r.tenant_id <> d.tenant_id;
