-- A schema that was multi-tenant already, by hand: row level security on, forced on one table only; policies to drop, to keep
-- because they restrict, and to keep because they are for another role.
CREATE ROLE case_auditor;
CREATE TABLE tenants (id uuid DEFAULT gen_random_uuid() CONSTRAINT tenants_pkey PRIMARY KEY, name text NOT NULL);
CREATE TABLE bookings (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT bookings_pkey PRIMARY KEY,
    tenant_id uuid NOT NULL CONSTRAINT bookings_tenant_fkey REFERENCES tenants,
    room text NOT NULL,
    closed boolean NOT NULL DEFAULT false,
    CONSTRAINT bookings_room_key UNIQUE (tenant_id, room)
);
CREATE INDEX bookings_tenant_idx ON bookings (tenant_id);
ALTER TABLE bookings ENABLE ROW LEVEL SECURITY;
ALTER TABLE bookings FORCE ROW LEVEL SECURITY;
CREATE POLICY by_company ON bookings USING (tenant_id::text = current_setting('my.company', true));
CREATE POLICY insert_anything ON bookings FOR INSERT WITH CHECK (true);
CREATE POLICY open_only ON bookings AS RESTRICTIVE FOR UPDATE USING (NOT closed);
CREATE POLICY audits ON bookings FOR SELECT TO case_auditor USING (true);
CREATE TABLE guests (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT guests_pkey PRIMARY KEY,
    tenant_id uuid NOT NULL CONSTRAINT guests_tenant_fkey REFERENCES tenants,
    name text
);
CREATE INDEX guests_tenant_idx ON guests (tenant_id);
ALTER TABLE guests ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON guests USING (tenant_id = nullif(current_setting('app.current_tenant_id', true), '')::uuid);
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY named ON tenants AS RESTRICTIVE USING (name <> '');
CREATE POLICY everybody ON tenants FOR SELECT USING (true);
INSERT INTO tenants VALUES ('00000000-0000-4000-8000-00000000000a', 'Acme'), ('00000000-0000-4000-8000-00000000000b', 'Globex');
INSERT INTO bookings (tenant_id, room) SELECT id, 'one' FROM tenants;
INSERT INTO guests (tenant_id, name) SELECT id, 'Ann' FROM tenants;
