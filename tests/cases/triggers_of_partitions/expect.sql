SELECT * FROM events e JOIN tenants t ON t.id = e.tenant_id WHERE t.slug <> e.team;
