"""What the application can reach beside the tables that are known to be tenants'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources

from tenantry.attacks.lab import Lab
from tenantry.catalog import Catalog
from tenantry.names import QName, display, qualified

_KINDS = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "f": "foreign table"}


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation that the application reads or writes. ``tenants``: it shows what tables of tenants hold.

    ``scope`` is what the spec says of it, if it says anything.
    """

    name: QName
    kind: str
    columns: tuple[str, ...]
    words: frozenset[str]
    tenants: bool = False
    scope: str = ""

    @property
    def sql(self) -> str:
        return qualified(self.name)

    @property
    def label(self) -> str:
        return display(self.name)


@dataclass(frozen=True, slots=True)
class Function:
    """A function that the application calls, with the types that must be given; ``variadic``: the last is an array.

    ``definer``: it runs with its owner's rights. ``searches`` is the table that it searches, if the spec says so.
    """

    name: QName
    types: tuple[str, ...]
    variadic: bool
    definer: bool
    searches: QName | None = None

    @property
    def label(self) -> str:
        return f"{display(self.name)}({', '.join(self.types)})"


@dataclass(frozen=True, slots=True)
class Reach:
    """Everything that the application can reach. ``relations`` leaves out the tables that are targets."""

    catalog: Catalog
    relations: tuple[Relation, ...]
    functions: tuple[Function, ...]


def reach(
    lab: Lab,
    catalog: Catalog,
    scopes: Mapping[QName, str],
    exempt: frozenset[QName] = frozenset(),
    known: frozenset[QName] = frozenset(),
    searches: Mapping[QName, QName] = {},
) -> Reach:
    """Ask the server; the privileges of the role count, by whatever way it has them.

    ``exempt`` functions answer for every tenant by design, and ``known`` tables are attacked elsewhere; both are left out.
    ``searches`` are functions with the table that each searches.
    """
    admin = lab.admin.conn
    found = admin.execute(_load("reach"), {"role": lab.role}).fetchall()
    relations = (
        Relation(QName(s, n), _KINDS[kind], tuple(columns), frozenset(words))
        for s, n, kind, columns, words in found
    )
    under = below(catalog)
    return Reach(
        catalog,
        tuple(
            Relation(
                r.name, r.kind, r.columns, r.words,
                bool(under.get(r.name, frozenset()) & lab.targets.keys()),
                scopes.get(r.name, ""),
            )
            for r in relations
            if r.name not in lab.targets.keys() | known
        ),
        tuple(
            Function(QName(s, n), tuple(types), variadic, definer, searches.get(QName(s, n)))
            for s, n, types, variadic, definer in admin.execute(_load("functions"), {"role": lab.role})
            if QName(s, n) not in exempt
        ),
    )  # fmt: skip


def _load(name: str) -> bytes:
    return (resources.files("tenantry.attacks") / f"{name}.sql").read_bytes()


def below(catalog: Catalog) -> Mapping[QName, frozenset[QName]]:
    """Every relation that a view reads, through other views too."""
    direct = {v.qname: frozenset(v.reads) for v in catalog.views}

    def all_of(name: QName, seen: frozenset[QName]) -> Iterator[QName]:
        for read in direct.get(name, frozenset()) - seen:
            yield read
            yield from all_of(read, seen | {read})

    return {name: frozenset(all_of(name, frozenset({name}))) for name in direct}
