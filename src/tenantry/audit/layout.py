"""The layout of a trail: the columns that are hashed, its partitions, and what acts on writes to it.

Each batch names the layout that it was sealed under, so a verifier knows the columns without the database, and sees
when a guard was off.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib import resources

import psycopg
from psycopg.rows import TupleRow

from tenantry.audit import canon
from tenantry.audit.canon import Column
from tenantry.audit.damage import Damage
from tenantry.errors import CatalogError
from tenantry.names import QName, display

Conn = psycopg.Connection[TupleRow]
REQUIRED = ("id", "tenant_id", "created_at")
_ON = {"O": 1, "D": 0, "R": 0, "A": 2}  # how far a guard reaches: a session that replicates passes O
_ROW_BEFORE_INSERT = 0b111  # row, before, insert: the only trigger that can swallow one


@dataclass(frozen=True, slots=True)
class Part:
    """The trail itself (no bound) or one of its partitions; ``persistence`` as in ``pg_class``."""

    name: str
    bound: str | None
    persistence: str
    owner: str


@dataclass(frozen=True, slots=True)
class Guard:
    """A trigger, rule or event trigger; ``enabled`` and ``type`` are the catalog's, ``digest`` is of its body."""

    kind: str
    relation: str
    name: str
    enabled: str
    type: int
    function: str
    digest: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" on {self.relation}" if self.relation else "")

    @property
    def swallows(self) -> bool:
        """Whether it can keep an event from being written without an error."""
        if self.kind == "rule":
            return not self.relation.startswith("tenantry_audit.")
        return self.kind == "trigger" and self.type & _ROW_BEFORE_INSERT == _ROW_BEFORE_INSERT


@dataclass(frozen=True, slots=True)
class Layout:
    """How a trail was when a batch of it was sealed. Columns are in the order in which they are hashed."""

    table: QName
    columns: tuple[Column, ...]
    parts: tuple[Part, ...]
    guards: tuple[Guard, ...]

    def to_json(self) -> str:
        """One line; the same layout gives the same bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def digest(self) -> str:
        """SHA-256 of :meth:`to_json`, hexadecimal."""
        return sha256(self.to_json().encode()).hexdigest()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    @property
    def counts_transactions(self) -> bool:
        """Whether each event carries the 64-bit id of its transaction."""
        return any(c.name == "xid" and c.base == "xid8" for c in self.columns)

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """Read what :meth:`to_json` wrote. Raises ValueError."""
        try:
            data = json.loads(text)
            return cls(
                QName(*data["table"]),
                tuple(Column(**c) for c in data["columns"]),
                tuple(Part(**p) for p in data["parts"]),
                tuple(Guard(**g) for g in data["guards"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a layout: {error}") from error


def statement(name: str) -> bytes:
    """A statement of ``sql/``, by name."""
    return (resources.files("tenantry") / "audit" / "sql" / f"{name}.sql").read_bytes()


def read(conn: Conn, table: QName) -> tuple[int, Layout]:
    """The trail's oid and its layout now. Raises CatalogError when it is no trail, or cannot be read."""
    found = conn.execute(statement("trail"), table._asdict()).fetchone()
    if found is None:
        raise CatalogError(
            f"{display(table)}: there is no such table; `tenantry apply` makes the trail, [audit] table names it"
        )
    oid, owner, _, _, _, readable = found
    if not readable:
        raise CatalogError(
            f"{display(table)}: role {conn.info.user} may not read it; connect as {owner} or as a superuser"
        )
    columns = tuple(Column(*row) for row in conn.execute(statement("trail_columns"), {"relation": oid}))
    missing = [name for name in REQUIRED if name not in {c.name for c in columns}]
    if missing:
        raise CatalogError(
            f"{display(table)}: has no column {', '.join(missing)}, which a trail has; name another table in [audit]"
        )
    canon.refuse_unstable(table, columns)
    rows = conn.execute(statement("trail_parts"), {"relation": oid}).fetchall()
    parts = tuple(Part(f"{schema}.{name}", *rest) for _, _, schema, name, *rest in rows)
    guards = conn.execute(statement("trail_guards"), {"relations": [row[0] for row in rows]})
    return oid, Layout(table, columns, parts, tuple(Guard(*row) for row in guards))


def weaker(old: Layout, new: Layout, retired: frozenset[str] = frozenset()) -> Iterator[Damage]:
    """In what the new layout protects less, or keeps less, than the old one. ``retired``: partitions that may go."""
    yield from _parts({p.name: p for p in old.parts}, {p.name: p for p in new.parts}, retired)
    lost = {p.name for p in old.parts} - {p.name for p in new.parts}
    before = {(g.kind, g.relation, g.name): g for g in old.guards if g.relation not in lost}
    after = {(g.kind, g.relation, g.name): g for g in new.guards}
    for key, guard in before.items():
        yield from _changed(guard, after.get(key))
    for key, guard in after.items():
        if guard.swallows and key not in before and _ON.get(guard.enabled, 0):
            yield Damage("swallowed insert", f"{guard} is new, and may keep events from being written")
    types = {c.name: c.type for c in new.columns}
    for column in old.columns:
        if types.get(column.name) != column.type:
            now = types.get(column.name, "gone")
            yield Damage("dropped column", f"column {column.name} was {column.type} and is {now}")


def _parts(
    before: Mapping[str, Part], after: Mapping[str, Part], retired: frozenset[str]
) -> Iterator[Damage]:
    for name, part in before.items():
        now = after.get(name)
        if now is None:
            if name not in retired:
                yield Damage(
                    "dropped partition", f"partition {name} ({part.bound}) is gone and was not retired"
                )
            continue
        if now.owner != part.owner:
            yield Damage("disabled guard", f"{name} belonged to {part.owner} and belongs to {now.owner} now")
        if now.persistence != part.persistence:
            yield Damage("disabled guard", f"{name} is unlogged now: a crash empties it")


def _changed(old: Guard, new: Guard | None) -> Iterator[Damage]:
    was_on = _ON.get(old.enabled, 0)
    if new is None:
        if was_on and not old.swallows:
            yield Damage("disabled guard", f"{old} is gone")
    elif _ON.get(new.enabled, 0) < was_on:
        what = "is disabled" if not _ON.get(new.enabled, 0) else "no longer fires for replication"
        yield Damage("disabled guard", f"{old} {what}")
    elif new.swallows and _ON.get(new.enabled, 0) > was_on:
        yield Damage("swallowed insert", f"{new} is enabled, and may keep events from being written")
    elif (new.type, new.function, new.digest) != (old.type, old.function, old.digest):
        kind: str = "swallowed insert" if new.swallows else "disabled guard"
        yield Damage(kind, f"{old} calls other code than before, or at another time")  # type: ignore[arg-type]
