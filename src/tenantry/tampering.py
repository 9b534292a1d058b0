"""A quiet change of a sealed trail, and what tells of it: the last act of the demo.

Nothing in a database stops its superuser. So the application writes events, they are sealed under a throwaway key, and
then a superuser switches the trail's triggers off, edits one event and switches them on again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from tenantry import audit
from tenantry.audit import anchors, keys
from tenantry.audit.damage import Damage
from tenantry.audit.seal import Sealed, seal
from tenantry.audit.source import Live, begin
from tenantry.audit.verify import Report, verify
from tenantry.names import QName, display, qualified, quote
from tenantry.runtime import Binding, tenant
from tenantry.runtime.psycopg import Connection
from tenantry.spec import Spec

Conn = psycopg.Connection[TupleRow]
LOG = "demo.example.com"
# What the application says was done, by whom; the last one is edited.
ACTOR = "u-17"
EVENTS: tuple[tuple[str, audit.Details], ...] = (
    ("auth.login", {"resource": ("users", ACTOR)}),
    ("settings.update", {"outcome": "denied", "metadata": {"semantic": False}}),
    ("member.remove", {"resource": ("users", "u-23")}),
)
LOUD = ("UPDATE {} SET actor_id = 'nobody'", "DELETE FROM {}", "TRUNCATE {}")
QUIET = "UPDATE {} SET actor_id = 'nobody' WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Tampering:
    """Which event was edited, what was sealed, and the verifications before and after.

    ``taken`` are the open changes that the trail did not refuse.
    """

    event: str
    taken: tuple[str, ...]
    sealed: Sealed
    before: Report
    after: Report

    @property
    def named(self) -> Damage | None:
        """The finding that says which event of which sealed batch was edited; None where nothing does."""
        for found in self.after.findings:
            if (found.kind, found.level, found.record) == ("edited", "error", self.event):
                return found if found.batch in self.sealed.batches else None
        return None

    def broken(self) -> Iterator[str]:
        """What was not as promised, in words. The first verification is the control: it must find nothing."""
        yield from (f"the trail took {statement!r}" for statement in self.taken)
        yield from (f"the trail does not verify before it was touched: {f}" for f in _errors(self.before))
        named = self.named
        if named is None:
            yield f"a quiet change of event {self.event} is not named by the verification"
        yield from (
            f"the verification finds what was not done: {f}" for f in _errors(self.after) if f != named
        )


def _errors(report: Report) -> Iterator[Damage]:
    return (found for found in report.findings if found.level == "error")


def tamper(dsn: str, declared: Spec, of: str) -> Tampering:
    """Write, seal, verify, edit, verify; as superuser, on a database that is thrown away. ``of`` is a tenant.

    Raises TenantryError where the package that seals is not installed.
    """
    assert declared.audit is not None
    table = declared.audit.table
    with (
        TemporaryDirectory(prefix="tenantry-demo-") as folder,
        closing(psycopg.connect(dsn, autocommit=True)) as conn,
    ):
        file, anchor = Path(folder) / "seal.key", anchors.File(Path(folder) / "anchor")
        keys.create(file, LOG)
        key = keys.load(file)
        event = _written(dsn, declared, of)
        taken = tuple(_loud(conn, table))
        sealed = seal(dsn, table, key, [anchor])
        before = _verified(dsn, table, key.public, anchor)
        _quiet(conn, table, event)
        return Tampering(event, taken, sealed, before, _verified(dsn, table, key.public, anchor))


def _written(dsn: str, declared: Spec, of: str) -> str:
    """The events, as the application; the id of the last one."""
    assert declared.audit is not None
    kind: Any = type("Bound", (Connection,), {"binding": Binding(declared.tenancy.setting)})
    trail = audit.Trail(declared.audit.functions, declared.tenancy.setting)
    with (
        tenant(of, actor=ACTOR, request_id="demo"),
        kind.connect(make_conninfo(dsn, user=declared.roles.app)) as conn,
    ):
        return [audit.record(conn, action, trail=trail, **details) for action, details in EVENTS][-1]


def _loud(conn: Conn, table: QName) -> Iterator[str]:
    for template in LOUD:
        statement = template.format(qualified(table))
        try:
            with conn.transaction():
                conn.execute(statement.encode())
        except psycopg.errors.RaiseException:
            continue
        yield template.format(display(table))


def _quiet(conn: Conn, table: QName, event: str) -> None:
    """The edit, with every trigger of the trail off meanwhile; they are on again in the same transaction."""
    names = conn.execute(
        "SELECT tgname FROM pg_catalog.pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal ORDER BY tgname",
        (qualified(table),),
    ).fetchall()
    with conn.transaction():
        conn.execute(f"ALTER TABLE {qualified(table)} DISABLE TRIGGER USER".encode())
        conn.execute(QUIET.format(qualified(table)).encode(), (event,))
        for (name,) in names:
            conn.execute(f"ALTER TABLE {qualified(table)} ENABLE ALWAYS TRIGGER {quote(name)}".encode())


def _verified(dsn: str, table: QName, key: keys.PublicKey, anchor: anchors.File) -> Report:
    with closing(psycopg.connect(dsn)) as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with conn.transaction():
            begin(conn)
            return verify(Live(conn, table), [key], anchors.read(anchor.path))
