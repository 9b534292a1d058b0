"""The notes of the mutation suite as a test's own database, with keys of several types."""

from collections.abc import Mapping
from typing import NamedTuple

from tenantry.mutations.worlds import kind
from tenantry.names import quote
from tenantry.spec import Spec
from tests.servers import Database

KEYS: Mapping[str, tuple[str, str]] = {
    "text": ("acme", "globex"),
    "uuid": ("6c7d3c8a-1d3c-4d0e-9c55-3f2f5a0c0001", "6c7d3c8a-1d3c-4d0e-9c55-3f2f5a0c0002"),
    "bigint": ("7", "8"),
}
TABLES = ("accounts", "audit_logs", "events", "events_early", "events_late", "notes", "tenants", "users")


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
    setting = "current_setting('app.current_tenant_id', true)"
    changes = {"app_user": app, "app_owner": owner}
    if key != "text":
        changes |= {"text /* key */": key, setting: f"nullif({setting}, '')::{key}"}
        changes |= {f"'{old}'": f"'{new}'" for old, new in zip(KEYS["text"], KEYS[key], strict=True)}
    schema = kind("notes").before
    for old, new in changes.items():
        schema = schema.replace(old, new)
    with db.connect() as connection:
        connection.execute(f"CREATE ROLE {owner} NOLOGIN; CREATE ROLE {app} LOGIN".encode())
        for statement in filter(str.strip, schema.split(";\n")):
            connection.execute(statement.encode())
    return spec(db, key)


def run(db: Database, *statements: str) -> None:
    """Execute statements, in which the roles of :func:`make` stand in braces."""
    app, owner = names(db)  # need no quotes
    with db.connect() as connection:
        for statement in statements:
            connection.execute(statement.replace("{app}", app).replace("{owner}", owner).encode())


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
