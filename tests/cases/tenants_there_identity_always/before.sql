-- The tenants table is there and makes its keys itself; the default tenant still gets the key that the spec gives.
CREATE TABLE tenants (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT tenants_pkey PRIMARY KEY,
    name text NOT NULL,
    slug text
);
INSERT INTO tenants (name) VALUES ('Other');
CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;
