SELECT * FROM calls WHERE tenant_id <> account;
SELECT last_value FROM tenants_id_seq WHERE last_value < 3;
