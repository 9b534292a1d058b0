SELECT * FROM accounts a JOIN tenants t ON t.id = a.tenant_id WHERE t.slug <> a.customer;
SELECT * FROM baskets b JOIN accounts a ON a.id = b.account_id WHERE a.tenant_id <> b.tenant_id;
SELECT * FROM items i JOIN accounts a ON a.id = i.account_id WHERE a.tenant_id <> i.tenant_id;
SELECT * FROM logins l JOIN accounts a ON a.email = l.email WHERE a.tenant_id <> l.tenant_id;
