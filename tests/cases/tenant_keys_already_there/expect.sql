SELECT id, tenant_id FROM users WHERE tenant_id <> 't' || id;
SELECT kind, tenant_id FROM kinds WHERE right(tenant_id, 1) <> right(kind, 1);
SELECT colour, tenant_id FROM colours WHERE tenant_id <> CASE colour WHEN 'red' THEN 't1' ELSE 't2' END;
SELECT id, tenant_id FROM posts WHERE tenant_id <> 't' || user_id;
SELECT id, tenant_id FROM labels WHERE tenant_id <> 't' || id;
