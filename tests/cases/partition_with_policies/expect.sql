-- A note belongs to the tenant named as its team.
SELECT n.* FROM notes n JOIN tenants t ON t.id = n.tenant_id WHERE t.slug <> n.team;
SELECT t.slug FROM tenants t WHERE t.slug NOT IN ('red', 'blue') OR t.name <> t.slug;
