-- The tenants table is there, its key is none, and its type is another.
CREATE TABLE tenants (id integer, name text, slug text);

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;
