SELECT * FROM desks WHERE tenant_id <> branch;
