SELECT id, tenant_id FROM users WHERE tenant_id <> 't1';
SELECT kind, tenant_id FROM kinds WHERE tenant_id <> 't1';
