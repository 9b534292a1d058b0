-- The tenants table is there and a tenant cannot be made in it: no slug, a generated name, a column that must be given.
CREATE TABLE tenants (
    id text CONSTRAINT tenants_pkey PRIMARY KEY,
    name text GENERATED ALWAYS AS (upper(id)) STORED,
    region text NOT NULL,
    since date NOT NULL DEFAULT current_date,
    nr integer GENERATED ALWAYS AS IDENTITY
);

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;
