-- The tenants table is there and its key is a domain over text; one table has a column of the domain already.
CREATE DOMAIN tenant_key AS text NOT NULL CHECK (VALUE ~ '^[a-z-]+$');
CREATE TABLE tenants (
    id tenant_key CONSTRAINT tenants_pkey PRIMARY KEY,
    title text
);
CREATE TABLE desks (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY,
    tenant_id tenant_key NOT NULL CONSTRAINT desks_tenant_fkey REFERENCES tenants,
    label text CONSTRAINT desks_label_key UNIQUE
);
CREATE TABLE drawers (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT drawers_pkey PRIMARY KEY,
    desk_id integer NOT NULL CONSTRAINT drawers_desk_fkey REFERENCES desks
);
INSERT INTO tenants VALUES ('north', 'North'), ('south', 'South');
INSERT INTO desks (tenant_id, label) VALUES ('north', 'a'), ('south', 'b');
INSERT INTO drawers (desk_id) VALUES (1), (2), (2);
