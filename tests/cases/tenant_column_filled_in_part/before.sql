-- Some rows have a tenant already, and keep it; a trigger watches the column, and must not see the others get theirs.
CREATE TABLE tenants (id uuid CONSTRAINT tenants_pkey PRIMARY KEY, slug text NOT NULL CONSTRAINT tenants_slug_key UNIQUE);
INSERT INTO tenants VALUES ('00000000-0000-4000-8000-00000000000a', 'acme'), ('00000000-0000-4000-8000-00000000000b', 'globex');
CREATE TABLE desks (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY,
    team text,
    tenant_id uuid
);
CREATE TABLE drawers (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT drawers_pkey PRIMARY KEY,
    desk_id integer NOT NULL CONSTRAINT drawers_desk_fkey REFERENCES desks
);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE TRIGGER watch BEFORE UPDATE OF tenant_id ON desks FOR EACH ROW EXECUTE FUNCTION refuse();
INSERT INTO desks (team, tenant_id) VALUES
    (NULL, '00000000-0000-4000-8000-00000000000b'), ('acme', NULL), ('globex', '00000000-0000-4000-8000-00000000000a');
INSERT INTO drawers (desk_id) VALUES (1), (2), (3);
