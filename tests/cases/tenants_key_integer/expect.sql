SELECT * FROM visits v JOIN tenants t ON t.id = v.tenant_id WHERE t.name <> v.site;
SELECT slug FROM tenants WHERE slug NOT IN ('first', 'hill-house', 'dale-end');
