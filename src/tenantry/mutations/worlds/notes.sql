-- Two customers' notes in the declared state, written by hand: what attacks must find nothing wrong with.
-- The type of the tenant's key is marked, for tests with other types.
CREATE TABLE tenants (
    id text /* key */ PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE, CHECK (id::text <> ''));
CREATE TABLE users (
    id text PRIMARY KEY, tenant_id text /* key */ NOT NULL REFERENCES tenants, email text NOT NULL,
    UNIQUE (tenant_id, id), UNIQUE (tenant_id, email));
CREATE TABLE notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL, parent_id bigint, title varchar(40) NOT NULL, tags text[] DEFAULT '{}',
    shout text GENERATED ALWAYS AS (upper(title)) STORED, changed timestamptz,
    tenant_id text /* key */ NOT NULL REFERENCES tenants,
    UNIQUE (tenant_id, id),
    CONSTRAINT notes_tenant_user_fk FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
        ON DELETE CASCADE,
    CONSTRAINT notes_tenant_parent_fk FOREIGN KEY (tenant_id, parent_id) REFERENCES notes (tenant_id, id)
        DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE events (
    id uuid NOT NULL DEFAULT gen_random_uuid(), at date NOT NULL, what text, user_id text,
    tenant_id text /* key */ NOT NULL REFERENCES tenants,
    PRIMARY KEY (id, at),
    CONSTRAINT events_tenant_user_fk FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
) PARTITION BY RANGE (at);
CREATE TABLE events_early PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE events_late PARTITION OF events FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
CREATE TABLE accounts (
    user_id text NOT NULL REFERENCES users ON DELETE CASCADE, provider text NOT NULL, token text,
    PRIMARY KEY (user_id, provider));
CREATE TABLE audit_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), actor_id text, tenant_id text /* key */, action text NOT NULL,
    metadata jsonb, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE countries (code text PRIMARY KEY, name text);

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.changed := now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch();
CREATE FUNCTION prevent_audit_modification() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'Direct modification of audit_logs is forbidden'; END $$;
CREATE TRIGGER no_audit_update BEFORE UPDATE OR DELETE ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION prevent_audit_modification();
CREATE TRIGGER no_audit_statement BEFORE UPDATE OR DELETE ON audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION prevent_audit_modification();
CREATE TRIGGER no_audit_truncate BEFORE TRUNCATE ON audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION prevent_audit_modification();

INSERT INTO tenants VALUES ('acme', 'Acme', 'acme'), ('globex', 'Globex', 'globex');
INSERT INTO users (id, tenant_id, email) VALUES
    ('u1', 'acme', 'one@a.example'), ('u2', 'acme', 'two@a.example'), ('u3', 'globex', 'one@a.example');
INSERT INTO notes (user_id, title, tags, tenant_id) VALUES
    ('u1', 'it''s one', '{x,"y z"}', 'acme'), ('u2', 'two \ 2', NULL, 'acme'), ('u3', 'three', '{}', 'globex');
UPDATE notes SET parent_id = id WHERE title LIKE 'it%';
INSERT INTO events (at, what, user_id, tenant_id) VALUES
    ('2026-02-01', 'login', 'u1', 'acme'), ('2026-03-01', 'login', NULL, 'globex');
INSERT INTO accounts VALUES ('u1', 'mail', 't1'), ('u3', 'mail', 't3');

-- Isolation
ALTER TABLE tenants OWNER TO app_owner;
ALTER TABLE users OWNER TO app_owner;
ALTER TABLE notes OWNER TO app_owner;
ALTER TABLE events OWNER TO app_owner;
ALTER TABLE events_early OWNER TO app_owner;
ALTER TABLE events_late OWNER TO app_owner;
ALTER TABLE audit_logs OWNER TO app_owner;
ALTER TABLE accounts OWNER TO app_owner;
CREATE POLICY tenant_isolation ON tenants USING (id = current_setting('app.current_tenant_id', true));
CREATE POLICY tenant_isolation ON users USING (tenant_id = current_setting('app.current_tenant_id', true));
CREATE POLICY tenant_isolation ON notes USING (tenant_id = current_setting('app.current_tenant_id', true));
CREATE POLICY tenant_isolation ON events USING (tenant_id = current_setting('app.current_tenant_id', true));
CREATE POLICY tenant_isolation ON events_early USING (tenant_id = current_setting('app.current_tenant_id', true));
CREATE POLICY tenant_isolation ON events_late USING (tenant_id = current_setting('app.current_tenant_id', true));
CREATE POLICY tenant_isolation ON audit_logs USING (tenant_id = current_setting('app.current_tenant_id', true));
CREATE POLICY tenant_isolation ON accounts USING (EXISTS (SELECT 1 FROM users p WHERE p.id = accounts.user_id AND p.tenant_id = current_setting('app.current_tenant_id', true)));
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE events_early ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE events_late ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_logs
    ENABLE ALWAYS TRIGGER no_audit_update,
    ENABLE ALWAYS TRIGGER no_audit_statement,
    ENABLE ALWAYS TRIGGER no_audit_truncate;
GRANT USAGE ON SCHEMA public TO app_owner;
GRANT SELECT ON tenants, countries TO app_user;
GRANT SELECT, INSERT ON audit_logs TO app_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON users, notes, events, accounts TO app_user;
