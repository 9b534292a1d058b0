-- Tables that have the tenant column: filled and NOT NULL with its reference and index, filled in part, and under two other names.
CREATE TABLE tenants (
    id text CONSTRAINT tenants_pkey PRIMARY KEY,
    name text
);
INSERT INTO tenants VALUES ('acme', 'Acme'), ('globex', 'Globex');
CREATE TABLE desks (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY,
    tenant_id text NOT NULL CONSTRAINT desks_tenant_fkey REFERENCES tenants
);
CREATE INDEX desks_by_tenant ON desks (tenant_id);
CREATE TABLE drawers (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT drawers_pkey PRIMARY KEY,
    organization_id text NOT NULL DEFAULT 'acme',
    desk_id integer NOT NULL CONSTRAINT drawers_desk_fkey REFERENCES desks
);
CREATE TABLE keys (
    drawer_id integer NOT NULL CONSTRAINT keys_drawer_fkey REFERENCES drawers,
    "tenantId" text CONSTRAINT keys_tenant_fkey REFERENCES tenants (id) ON DELETE CASCADE
);
INSERT INTO desks (tenant_id) VALUES ('acme'), ('globex');
INSERT INTO drawers (organization_id, desk_id) VALUES ('acme', 1), ('globex', 2);
INSERT INTO keys VALUES (1, 'acme'), (2, 'globex');
