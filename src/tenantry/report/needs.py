"""What a conversion of a table will need, in plain words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from tenantry.catalog import Catalog, Column, Table
from tenantry.counts import counted, listed
from tenantry.evidence import keys, tables, words
from tenantry.evidence.tenants import Candidate
from tenantry.names import display


def needs(
    catalog: Catalog, t: Table, tenants: Candidate | None, held: Collection[tuple[str, str]]
) -> Iterator[str]:
    """What it takes to make a tenant table of it, in the order in which it is done.

    ``tenants`` is the tenants table, where one was found; ``held`` are keys of this table that views depend
    on, with the view.
    """
    if tables.follows(t):
        yield f"follows {display(tables.root(catalog, t.qname))}"
        return
    common = (tenants.column if tenants is not None else None) or "tenant_id"
    like = [c for c in t.columns if words.tenant_like(c.name) or c.name == common]
    own = [c for c in like if words.names_tenant_column(c.name) or words.words(c.name) == words.words(common)]
    yield _column(like, own, common, tenants)
    filled = len(own) == 1 and own[0].not_null
    if not filled and (firing := [trigger.name for _, trigger in tables.firing(catalog, t, "tenant_id")]):
        yield f"trigger {listed(dict.fromkeys(firing))} fires on the backfill: decide"
    yield from _keys(t, {c.name for c in own}, held)
    yield from _references(t, {c.name for c in own}, tenants)
    if t.policies:
        yield f"keep or drop policy {listed(p.name for p in t.policies)}"
    elif t.row_security:
        yield "row level security is on without a policy: nobody but the owner sees a row"


def _column(like: Sequence[Column], own: Sequence[Column], common: str, tenants: Candidate | None) -> str:
    if not like:
        return f"add {common}"
    if len(own) != 1:
        return f"decide whether {' or '.join(c.name for c in own or like)} is its tenant column"
    column = own[0]
    if tenants is not None and column.type != tenants.key.type:
        return f"convert {column.name} from {column.type} to {tenants.key.type}, the tenants' key"
    return (
        f"{column.name} is there, on every row" if column.not_null else f"fill {column.name} where it is NULL"
    )


def _references(t: Table, own: set[str], tenants: Candidate | None) -> Iterator[str]:
    above = tenants.qname if tenants is not None else None
    single = [fk for fk in t.foreign_keys if fk.references != above and own.isdisjoint(fk.columns)]
    if single:
        yield counted(len(single), "composite foreign key")
    if unchecked := [fk.name for fk in t.foreign_keys if not fk.validated]:
        yield f"{listed(unchecked)} was never validated"


def _keys(t: Table, own: set[str], held: Collection[tuple[str, str]]) -> Iterator[str]:
    primary = t.primary_key
    if primary is None:
        yield "it has no primary key"
    elif keys.key_kind(t) == "natural" and own.isdisjoint(primary.columns):
        yield f"decide whether primary key ({', '.join(primary.columns)}) is per tenant"
    across = [u for u in keys.uniques(t) if own.isdisjoint(u.columns)]
    if replaced := [u.name for u in across if not u.credential]:
        yield f"replace {listed(replaced)}"
    if asked := [u.name for u in across if u.credential]:
        yield f"decide whether {listed(asked)} stays unique across tenants"
    changing = {u.name for u in across}
    if primary is not None and keys.key_kind(t) in ("natural", "referencing"):
        changing.add(primary.name)
    yield from (f"view {view} depends on key {key}, which holds it" for key, view in held if key in changing)
