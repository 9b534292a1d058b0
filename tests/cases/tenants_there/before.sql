-- A tenants table is there: a tenant in it is the first one's, the default tenant is new in it, and its policy is wider than ours.
CREATE TABLE tenants (
    id text DEFAULT gen_random_uuid()::text CONSTRAINT tenants_pkey PRIMARY KEY,
    name text NOT NULL,
    slug character varying(40) NOT NULL CONSTRAINT tenants_slug_key UNIQUE,
    seats integer NOT NULL DEFAULT 5,
    parent_id text CONSTRAINT tenants_parent_fkey REFERENCES tenants
);
INSERT INTO tenants (id, name, slug) VALUES ('zero', 'Zero', 'zero');
CREATE TABLE desks (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY,
    lent_to text CONSTRAINT desks_lent_to_fkey REFERENCES tenants
);
INSERT INTO desks (lent_to) VALUES ('zero'), (NULL);
CREATE TABLE chairs (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT chairs_pkey PRIMARY KEY);
INSERT INTO chairs DEFAULT VALUES;
