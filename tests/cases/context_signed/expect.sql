SELECT * FROM notes WHERE tenant_id <> 'first';
