-- A new tenants table with a key of type uuid; one table's rows belong to the first tenant, the other's to tenants made from its values.
CREATE TABLE machines (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT machines_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT machines_name_key UNIQUE
);
CREATE TABLE visits (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT visits_pkey PRIMARY KEY,
    site text NOT NULL,
    machine_id integer CONSTRAINT visits_machine_fkey REFERENCES machines ON DELETE SET NULL
);
INSERT INTO machines (name) VALUES ('mill'), ('lathe');
INSERT INTO visits (site) VALUES ('Hill House'), ('Dale End'), ('Hill House');
