-- A drawer belongs to the tenant of its desk.
SELECT * FROM drawers r JOIN desks d ON d.id = r.desk_id WHERE r.tenant_id <> d.tenant_id;
