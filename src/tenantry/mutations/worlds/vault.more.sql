-- A second customer, after the conversion.
INSERT INTO tenants (id, name, slug) VALUES ('second', 'Second', 'second');
INSERT INTO users (id, email, tenant_id) VALUES (3, 'one@b.example', 'second');
INSERT INTO sessions VALUES ('s3', 3);
INSERT INTO notes (id, user_id, body, tenant_id) VALUES (3, 3, 'z', 'second');
