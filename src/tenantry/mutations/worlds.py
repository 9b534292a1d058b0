"""The good databases that sabotages are applied to: schemas in `worlds/`, made on a scratch server.

A world with a spec and no rows of its own for it (`more.sql`) is converted by Tenantry; the others are as their
authors wrote them.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from tenantry import checks, demo, introspect, keys, planner, prove, spec
from tenantry.attacks import DOORS
from tenantry.attacks.lab import How
from tenantry.attacks.target import find
from tenantry.finding import Outcome, Review
from tenantry.mutations.scratch import Roles, Scratch, roles
from tenantry.names import display, parse, quote
from tenantry.session import Conn
from tenantry.spec import Spec
from tenantry.steps import context

NAMES = ("skills", "notes", "workshop", "ledger", "vault", "claims", "membership")
_ROLES = (
    "app_user",
    "app_owner",
    "app_keeper",
    "app_resolver",
    "app_context",
    "app_system",
    "app_support",
    "app_recorder",
)
_BRACES = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A world as its files describe it. ``attacked`` are tables, and what says whose a row is; none: no live layer.

    ``references`` are those of them that refer to other tenant tables, ``partitioned`` those with partitions; ``views``
    tells which tables each view reads, as reports call them: who sees a table's rows sees them in its views, too.
    ``everywhere``: those mutations are tried here.
    """

    name: str
    title: str
    names: Mapping[str, str]
    attacked: Mapping[str, str]
    references: tuple[str, ...]
    partitioned: tuple[str, ...]
    views: Mapping[str, Sequence[str]]
    everywhere: bool
    spec: Mapping[str, Any] | None
    before: str
    more: str

    @property
    def signed(self) -> bool:
        """Whether a session's tenant must be signed."""
        return self.spec is not None and self.spec.get("tenancy", {}).get("context") == "signed"


@dataclass(frozen=True, slots=True)
class World:
    """A world made on a server. ``database`` is for attacks; ``conn`` leads to a copy for checks, where all that can
    be shut is.

    ``clean`` and ``outcomes`` are what was found before any sabotage.
    """

    kind: Kind
    scratch: Scratch
    database: str
    conn: Conn
    spec: Spec | None
    names: Mapping[str, str]
    roles: Roles
    clean: Review
    outcomes: tuple[Outcome, ...]

    @property
    def request(self) -> checks.Request:
        """What the static layer is asked."""
        return checks.Request(self.spec, roles=(self.scratch.role(f"{self.kind.name}_app"),))

    def fill(self, statement: str, database: str) -> str:
        """A statement with the names of this world. Raises KeyError for one that it does not have."""
        names = {**self.names, "database": quote(database)}
        return _BRACES.sub(lambda found: names[found[1]], statement)

    def knows(self, statements: Sequence[str]) -> bool:
        """Whether the world has all that the statements name."""
        return all(word in self.names for s in statements for word in _BRACES.findall(s))


@cache
def kind(name: str) -> Kind:
    """The world of that name."""
    files = resources.files("tenantry.mutations") / "worlds"
    told = tomllib.loads((files / f"{name}.toml").read_text(encoding="utf-8"))
    return Kind(
        name=name,
        title=told["title"],
        names=told["names"],
        attacked=told.get("attacked", {}),
        references=tuple(told.get("references", ())),
        partitioned=tuple(told.get("partitioned", ())),
        views=told.get("views", {}),
        everywhere=told.get("everywhere", False),
        spec=told.get("spec"),
        before=_text(files / f"{name}.sql"),
        more=_text(files / f"{name}.more.sql"),
    )


def _text(file: Traversable) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


@cache
def hardening() -> Mapping[str, list[str]]:
    """What shuts the doors that every database has."""
    file = resources.files("tenantry.mutations") / "hardened.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


@contextlib.contextmanager
def make(scratch: Scratch, name: str) -> Iterator[World]:
    """Make a world, look at it with both layers, and yield it."""
    described = kind(name)
    mine = {word: scratch.role(f"{name}_{word.removeprefix('app_')}") for word in _ROLES}
    mine["app_user"] = scratch.role(f"{name}_app")
    declared = _declared(described, mine)
    database = scratch.database()
    with contextlib.closing(scratch.connect(database)) as conn:
        _fill(conn, described, mine, declared)
    if declared is not None and context.signed(declared):
        keys.new(scratch.dsn_of(database), declared)
    with contextlib.closing(scratch.connect(scratch.database(template=database))) as conn:
        names = _names(described, scratch, mine, declared)
        world = World(described, scratch, database, conn, declared, names, roles(scratch), _NOTHING, ())
        shut = hardening()
        for statement in [*shut["always"], *(shut["trail"] if "trail" in names else ())]:
            conn.execute(world.fill(statement, conn.info.dbname).encode())
        clean = checks.examine(conn, world.request, now=now())
        outcomes = attack(world, database) if described.attacked else ()
        yield replace(world, clean=clean, outcomes=outcomes)


_NOTHING = Review("", "", "", "", (), (), (), ())


def now() -> datetime:
    """The time that records carry."""
    return datetime.now(UTC)


def _declared(described: Kind, mine: Mapping[str, str]) -> Spec | None:
    if described.name == "skills":
        found = spec.load(demo.example() / "tenantry.toml")
    elif described.spec is not None:
        found = Spec.model_validate(described.spec)
    else:
        return None
    own = {"app": mine["app_user"], "owner": mine["app_owner"]}
    own |= {word: mine[f"app_{word}"] for word in ("resolver", "context")}
    work = {word: mine[f"app_{word}"] for word in ("system", "support") if getattr(found.roles, word)}
    update: dict[str, Any] = {"roles": found.roles.model_copy(update=own | work)}
    if found.audit is not None and (work or found.audit.extended):
        update["audit"] = found.audit.model_copy(update={"owner": mine["app_recorder"]})
    return found.model_copy(update=update)


def _fill(conn: Conn, described: Kind, mine: Mapping[str, str], declared: Spec | None) -> None:
    conn.execute(f"CREATE ROLE {quote(mine['app_keeper'])} NOLOGIN".encode())
    if described.name == "skills":
        _load_example(conn)
    if described.more or described.name == "skills":
        _run(conn, described.before, mine)
        assert declared is not None
        _convert(conn, declared)
        if described.name == "skills":
            _second_tenant(conn)
    else:
        conn.execute(
            f"CREATE ROLE {quote(mine['app_owner'])} NOLOGIN; CREATE ROLE {quote(mine['app_user'])} LOGIN".encode()
        )
        _run(conn, described.before, mine)
    _run(conn, described.more, mine)
    conn.execute("ANALYZE")


def _run(conn: Conn, text: str, mine: Mapping[str, str]) -> None:
    """A file whose statements end at the end of a line, with its roles under their names here."""
    named = re.sub(rf"\b({'|'.join(_ROLES)})\b", lambda m: quote(mine[m[0]]), text)
    for statement in filter(str.strip, named.split(";\n")):
        conn.execute(statement.encode())


def _convert(conn: Conn, declared: Spec) -> None:
    conn.execute("SET row_security = off")
    for step in planner.plan(declared, introspect.read(conn), "transactional"):
        for statement in step.apply:
            conn.execute(statement.encode())
    conn.execute("RESET row_security")


def _load_example(conn: Conn) -> None:
    loader = demo.data(demo.example())
    found = conn.execute("SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = 'vector'").fetchone()
    loader.load_baseline(conn, vector=found is not None)
    loader.generate(conn, scale=0.01)


def _second_tenant(conn: Conn) -> None:
    tenant, name, slug = demo.SECOND
    conn.execute("INSERT INTO tenants (id, name, slug) VALUES (%s, %s, %s)", [tenant, name, slug])
    demo.data(demo.example()).generate(conn, scale=0.01, tenant=tenant)


def _names(
    described: Kind, scratch: Scratch, mine: Mapping[str, str], declared: Spec | None
) -> dict[str, str]:
    """What the names in braces stand for. ``…_label`` is how reports call a table."""
    found = dict(described.names)
    if declared is not None:
        found["setting"] = declared.tenancy.setting
        office = declared.roles
        found |= {w: quote(r) for w, r in (("system", office.system), ("support", office.support)) if r}
    for word in ("table", "child", "tenants", "trail"):
        if word in found:
            found[f"{word}_label"] = label(found[word])
    if "child" in found:
        found["child_name"] = quote(parse(found["child"]).name)
    found["owner_name"] = mine["app_owner"]
    own = {word: scratch.role(f"{described.name}_{word}") for word in ("helper", "other")}
    return found | {
        "app": quote(mine["app_user"]), "owner": quote(mine["app_owner"]), "keeper": quote(mine["app_keeper"]),
        "database": "", "event_trigger": "guard", **{w: quote(r) for w, r in own.items()},
    }  # fmt: skip


def label(table: str) -> str:
    """How reports call a table that SQL spells so."""
    return display(parse(table))


def attack(world: World, database: str, pooler_dsn: str | None = None) -> tuple[Outcome, ...]:
    """Every attack on a copy, and every other way to rows; that through a pooler where there is one."""
    assert world.spec is not None
    with contextlib.closing(world.scratch.connect(database)) as conn:
        catalog = introspect.read(conn)
    targets, _ = find(world.spec, catalog)
    tables = {target.label for target in targets}
    doors = {door.NAME for door in DOORS}
    dsn = world.scratch.dsn_of(database)
    how = How("full", pooler_dsn=pooler_dsn)
    return prove.outcomes(dsn, world.spec, catalog, tables, how=how, doors=doors)


@contextlib.contextmanager
def copy(world: World) -> Iterator[str]:
    """A copy for one sabotage; it is dropped at the end, and the roles are again what they were."""
    database = world.scratch.database(template=world.database)
    try:
        yield database
    finally:
        world.scratch.drop(database)


def left_behind(world: World) -> Iterator[str]:
    """What either layer sees now and did not before the sabotages; nothing, unless one was not taken back."""
    after = checks.examine(world.conn, world.request, now=now())
    before = {f.fingerprint for f in world.clean.findings}
    yield from (f"{f.check} {f.object}" for f in after.findings if f.fingerprint not in before)
    if world.outcomes:
        before = {f"{o.attack} {o.object} {o.status}" for o in world.outcomes}
        again = {f"{o.attack} {o.object} {o.status}" for o in attack(world, world.database)}
        yield from sorted(again - before)
