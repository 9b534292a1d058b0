-- The tenants table is there and its key takes 'a' and 'A' for one.
CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE tenants (
    id text COLLATE caseless CONSTRAINT tenants_pkey PRIMARY KEY,
    name text,
    slug text
);

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;
