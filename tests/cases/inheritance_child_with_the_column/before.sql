-- A child that has the tenant column itself, with a default, and rows with and without a tenant.
CREATE TABLE documents (
    id serial CONSTRAINT documents_pkey PRIMARY KEY,
    title text
);
CREATE TABLE contracts (
    tenant_id text DEFAULT 'first',
    CONSTRAINT contracts_pkey PRIMARY KEY (id)
) INHERITS (documents);
CREATE TABLE letters (
    tenant_id text NOT NULL
) INHERITS (documents);
INSERT INTO documents (title) VALUES ('a');
INSERT INTO contracts (title, tenant_id) VALUES ('b', 'first');
INSERT INTO letters (title, tenant_id) VALUES ('d', 'first');
