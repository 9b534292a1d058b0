-- Rows say which tenant they belong to, and nobody ever made a tenants table.
CREATE TABLE desks (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY,
    tenant_id text NOT NULL
);
INSERT INTO desks (tenant_id) VALUES ('acme'), ('globex'), ('acme');
