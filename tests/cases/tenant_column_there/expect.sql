SELECT * FROM drawers r JOIN desks d ON d.id = r.desk_id WHERE r.organization_id <> d.tenant_id;
SELECT * FROM keys k JOIN drawers r ON r.id = k.drawer_id WHERE k."tenantId" <> r.organization_id;
