SELECT * FROM projects p JOIN tenants t ON t.id = p.tenant_id WHERE t.slug <> p.customer;
SELECT * FROM bills b JOIN tenants t ON t.id = b.tenant_id WHERE t.slug <> b."for Customer";
SELECT slug FROM tenants WHERE slug NOT IN ('acme', 'globex', 'initech', 'o''hara') OR name <> slug;
