SELECT * FROM tenants WHERE id NOT IN ('acme', 'globex');
