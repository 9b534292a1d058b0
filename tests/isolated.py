"""A small database in the declared state, written by hand: what attacks must find nothing wrong with."""

from collections.abc import Mapping
from typing import NamedTuple

from tenantry.names import quote
from tenantry.spec import Spec
from tests.servers import Database

KEYS: Mapping[str, tuple[str, str]] = {
    "text": ("acme", "globex"),
    "uuid": ("6c7d3c8a-1d3c-4d0e-9c55-3f2f5a0c0001", "6c7d3c8a-1d3c-4d0e-9c55-3f2f5a0c0002"),
    "bigint": ("7", "8"),
}
TABLES = ("accounts", "audit_logs", "events", "events_early", "events_late", "notes", "tenants", "users")
_ISOLATED = {
    "tenants": "id = {now}",
    "users": "tenant_id = {now}",
    "notes": "tenant_id = {now}",
    "events": "tenant_id = {now}",
    "events_early": "tenant_id = {now}",
    "events_late": "tenant_id = {now}",
    "audit_logs": "tenant_id = {now}",
    "accounts": "EXISTS (SELECT 1 FROM users p WHERE p.id = accounts.user_id AND p.tenant_id = {now})",
}
_GRANTS = {
    "SELECT": "tenants",
    "SELECT, INSERT": "audit_logs",
    "SELECT, INSERT, UPDATE, DELETE": "users, notes, events, accounts",
}

SCHEMA = """
CREATE TABLE tenants (
    id {type} PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE, CHECK (id::text <> ''));
CREATE TABLE users (
    id text PRIMARY KEY, tenant_id {type} NOT NULL REFERENCES tenants, email text NOT NULL,
    UNIQUE (tenant_id, id), UNIQUE (tenant_id, email));
CREATE TABLE notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL, parent_id bigint, title varchar(40) NOT NULL, tags text[] DEFAULT '{{}}',
    shout text GENERATED ALWAYS AS (upper(title)) STORED, changed timestamptz,
    tenant_id {type} NOT NULL REFERENCES tenants,
    UNIQUE (tenant_id, id),
    CONSTRAINT notes_tenant_user_fk FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
        ON DELETE CASCADE,
    CONSTRAINT notes_tenant_parent_fk FOREIGN KEY (tenant_id, parent_id) REFERENCES notes (tenant_id, id)
        DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE events (
    id uuid NOT NULL DEFAULT gen_random_uuid(), at date NOT NULL, what text, user_id text,
    tenant_id {type} NOT NULL REFERENCES tenants,
    PRIMARY KEY (id, at),
    CONSTRAINT events_tenant_user_fk FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
) PARTITION BY RANGE (at);
CREATE TABLE events_early PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE events_late PARTITION OF events FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
CREATE TABLE accounts (
    user_id text NOT NULL REFERENCES users ON DELETE CASCADE, provider text NOT NULL, token text,
    PRIMARY KEY (user_id, provider));
CREATE TABLE audit_logs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), actor_id text, tenant_id {type}, action text NOT NULL,
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

INSERT INTO tenants VALUES ('{a}', 'Acme', 'acme'), ('{b}', 'Globex', 'globex');
INSERT INTO users (id, tenant_id, email) VALUES
    ('u1', '{a}', 'one@a.example'), ('u2', '{a}', 'two@a.example'), ('u3', '{b}', 'one@a.example');
INSERT INTO notes (user_id, title, tags, tenant_id) VALUES
    ('u1', 'it''s one', '{{x,"y z"}}', '{a}'), ('u2', 'two \\ 2', NULL, '{a}'), ('u3', 'three', '{{}}', '{b}');
UPDATE notes SET parent_id = id WHERE title LIKE 'it%';
INSERT INTO events (at, what, user_id, tenant_id) VALUES
    ('2026-02-01', 'login', 'u1', '{a}'), ('2026-03-01', 'login', NULL, '{b}');
INSERT INTO accounts VALUES ('u1', 'mail', 't1'), ('u3', 'mail', 't3');
"""


class Names(NamedTuple):
    """The roles of one database."""

    app: str
    owner: str


def names(db: Database) -> Names:
    """The roles that :func:`make` makes."""
    return Names(db.role("app"), db.role("owner"))


def make(db: Database, key: str = "text") -> Spec:
    """Fill ``db``, whose tenants have a key of that type, and return its spec. ``events_late`` stays empty."""
    app, owner = (quote(name) for name in names(db))
    a, b = KEYS[key]
    setting = "current_setting('app.current_tenant_id', true)"
    now = setting if key == "text" else f"nullif({setting}, '')::{key}"
    with db.connect() as connection:
        connection.execute(f"CREATE ROLE {owner} NOLOGIN; CREATE ROLE {app} LOGIN".encode())
        connection.execute(SCHEMA.format(type=key, a=a, b=b).encode())
        for table, rule in _ISOLATED.items():
            connection.execute(
                f"ALTER TABLE {table} OWNER TO {owner};"
                f"CREATE POLICY tenant_isolation ON {table} USING ({rule.format(now=now)});"
                f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY".encode()
            )
        for words, tables in _GRANTS.items():
            connection.execute(f"GRANT {words} ON {tables} TO {app}".encode())
        connection.execute(
            f"GRANT SELECT ON countries TO {app}; GRANT USAGE ON SCHEMA public TO {owner}".encode()
        )
    return spec(db, key)


def spec(db: Database, key: str = "text") -> Spec:
    """What the tables are."""
    mine = {"scope": "tenant", "primary_key": "global"}
    return Spec.model_validate(
        {
            "tenancy": {"type": key},
            "roles": {"app": names(db).app, "owner": names(db).owner},
            "audit": {},
            "tables": {
                "users": mine,
                "notes": mine | {"triggers": "fire"},
                "events": mine,
                "accounts": {"scope": "through", "parent": "users"},
                "countries": {"scope": "shared"},
            },
        }
    )
