"""Catalogs made by hand, and what holds for the draft of each."""

import re
import tomllib
from typing import Any

from tenantry import catalog as model
from tenantry import init, spec
from tenantry.catalog import Catalog, Column, Constraint, Index, Key, Role, Schema, Table, Trigger
from tenantry.names import QName


def column(text: str) -> Column:
    """``id uuid!`` is a column of type uuid that is NOT NULL; ``id uuid! = now()`` has a default."""
    head, _, default = text.partition(" = ")
    name, type_ = head.rsplit(" ", 1)
    return Column(name, type_.rstrip("!"), type_.rstrip("!"), type_.endswith("!"), default or None)


def table(
    name: str, *columns: str, pk: str = "id", unique: str = "", fk: dict[str, str] | None = None, **rest: Any
) -> Table:
    """A table with a primary key, single-column uniques and foreign keys (column -> table.column)."""
    made = tuple(column(c) for c in columns)
    names = {c.name for c in made}
    keys = tuple(k for k in pk.split() if k in names)
    constraints = [Constraint(f"{name}_pkey", "primary", keys, "", index=f"{name}_pkey")] if keys else []
    indexes = [primary(name, keys)] if keys else []
    for u in unique.split():
        constraints.append(Constraint(f"{name}_{u}_key", "unique", (u,), "", index=f"{name}_{u}_key"))
        indexes.append(
            Index(f"{name}_{u}_key", "btree", (Key(u),), unique=True, constraint=f"{name}_{u}_key")
        )
    for source, target in (fk or {}).items():
        other, _, referenced = target.partition(".")
        constraints.append(
            Constraint(
                f"{name}_{source}_fkey",
                "foreign",
                (source,),
                "",
                references=QName("public", other),
                referenced=(referenced or "id",),
                referenced_index=f"{other}_pkey",
            )
        )
    given: dict[str, Any] = {"schema": "public", "kind": "table", "owner": "me", "rows": 5000}
    return Table(
        name=name, columns=made, constraints=tuple(constraints), indexes=tuple(indexes), **given | rest
    )


def primary(name: str, keys: tuple[str, ...]) -> Index:
    pkey = f"{name}_pkey"
    return Index(pkey, "btree", tuple(Key(k) for k in keys), unique=True, primary=True, constraint=pkey)


def catalog(*tables: Table, **rest: Any) -> Catalog:
    schemas = tuple(Schema(s, "me") for s in sorted({"public", *(t.schema for t in tables)}))
    ordered = tuple(sorted(tables, key=lambda t: t.qname))
    return Catalog(model.Server(180006, "shop", "me"), **{"schemas": schemas, "tables": ordered} | rest)


def drafted(*tables: Table, tenants: str | None = None, **rest: Any) -> dict[str, Any]:
    """The draft as data, after checking what holds for every draft."""
    return checked(catalog(*tables, **rest), tenants=tenants)


def checked(made: Catalog, **options: Any) -> dict[str, Any]:
    draft = init.draft(made, **options)
    assert draft == init.draft(made, **options)
    read = spec.parse(draft.text)
    assert draft.undecided == read.undecided
    lines = [line for line in draft.text.splitlines() if not line.startswith("#")]
    assert len(draft.undecided) == sum(line.endswith(' = "undecided"') for line in lines)
    told = re.search(r"^# (\d+) values? (?:are|is) \"undecided\"", draft.text, re.MULTILINE)
    assert (int(told[1]) if told else 0) == len(draft.undecided)
    mentioned = {*read.tables, read.tenancy.tenants, read.audit.table if read.audit else None}
    for t in made.tables:  # a closed world
        root = t.partition_of is None and (not t.parents or t.extension)
        if t.schema in read.tenancy.schemas and root:
            assert t.qname in mentioned
    return tomllib.loads(draft.text)


def comments(text: str, header: str) -> str:
    """The comments of a table's section, above and in it, on one line."""
    before, after = text.split(f"[tables.{header}]\n")
    lines = [*before.split("\n\n")[-1].splitlines(), *after.split("\n\n")[0].splitlines()]
    return " ".join(
        re.sub(r"\s+", " ", line.removeprefix("#").strip()) for line in lines if line.startswith("#")
    )


USERS = table("users", "id uuid!", "email text!", "created_at timestamptz!")
ORGS = table("organizations", "id uuid!", "name text!")


def of_org(name: str, *columns: str, **rest: Any) -> Table:
    fk = {"organization_id": "organizations"} | rest.pop("fk", {})
    return table(name, "id uuid!", "organization_id uuid!", *columns, fk=fk, **rest)


def trigger(name: str, **rest: Any) -> Trigger:
    given: dict[str, Any] = {"timing": "before", "row": True, "events": ("update",), "enabled": "O"}
    return Trigger(name=name, function=QName("public", "f"), definition="", **given | rest)


def role(name: str, **rest: Any) -> Role:
    given = dict.fromkeys(
        ("superuser", "bypass_rls", "login", "create_role", "create_db", "replication"), False
    )
    return Role(name, **given | rest)
