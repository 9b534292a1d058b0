-- The tenants table is there with a key of limited length: two longer values must not become one.
CREATE TABLE tenants (
    id character varying(8) CONSTRAINT tenants_pkey PRIMARY KEY
);
CREATE TABLE desks (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY,
    branch text NOT NULL
);
INSERT INTO tenants VALUES ('north'), ('south');
INSERT INTO desks (branch) VALUES ('north'), ('south'), ('south');
