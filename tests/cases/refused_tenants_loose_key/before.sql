-- needs: citext
-- The tenants table is there and its key takes 'a' and 'A' for one.
CREATE EXTENSION citext;
CREATE TABLE tenants (
    id citext CONSTRAINT tenants_pkey PRIMARY KEY,
    name text,
    slug text
);

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;
