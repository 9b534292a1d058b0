-- A trail is there with all its columns and one more, and an index that serves; its guard is there too, switched off.
CREATE TABLE audit_logs (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_logs_pkey PRIMARY KEY,
    actor_id text,
    tenant_id text,
    action text NOT NULL,
    resource_type text,
    resource_id text,
    ip_address inet,
    metadata jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    severity integer
);
CREATE INDEX by_actor ON audit_logs (actor_id, created_at DESC);
CREATE INDEX audit_logs_action_idx ON audit_logs (action);
CREATE FUNCTION prevent_audit_modification() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE TRIGGER no_audit_update BEFORE UPDATE OR DELETE ON audit_logs FOR EACH ROW EXECUTE FUNCTION prevent_audit_modification();
ALTER TABLE audit_logs DISABLE TRIGGER no_audit_update;
INSERT INTO audit_logs (action) VALUES ('login');

CREATE TABLE desks (id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT desks_pkey PRIMARY KEY);
INSERT INTO desks DEFAULT VALUES;
