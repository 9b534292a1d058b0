-- The name tenants belongs to people who rent flats; the customers get a table of another name.
CREATE TABLE tenants (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT tenants_pkey PRIMARY KEY,
    name text NOT NULL,
    flat text NOT NULL CONSTRAINT tenants_flat_key UNIQUE
);
CREATE INDEX customers_slug_unique ON tenants (name);
INSERT INTO tenants (name, flat) VALUES ('Ann', '1a');
