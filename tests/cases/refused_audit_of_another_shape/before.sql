-- A trail is there without some columns and with tenants of another type; its guard's function and trigger do something else.
CREATE TABLE audit_logs (
    id integer, actor_id text, tenant_id integer, action text, metadata jsonb, created_at timestamptz
);
CREATE FUNCTION prevent_audit_modification() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER no_audit_update BEFORE UPDATE ON audit_logs FOR EACH ROW EXECUTE FUNCTION prevent_audit_modification();

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;
