-- The second customer of the ledger, after the conversion.
INSERT INTO tenants (id, name, slug) VALUES (2, 'Second', 'second');
INSERT INTO users (id, email, tenant_id) VALUES (11, 'one@b.example', 2);
INSERT INTO sessions VALUES ('s11', 11);
INSERT INTO accounts (id, name, owner_id, tenant_id) VALUES (11, 'cash', 11, 2);
INSERT INTO entries (id, account_id, amount, tenant_id) VALUES (11, 11, 5, 2);
INSERT INTO entries_closed (id, account_id, amount, closed, tenant_id) VALUES (12, 11, 5, '2026-01-31', 2);
GRANT SELECT ON balances, owners TO app_user;
