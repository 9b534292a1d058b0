"""Decisions about the keys, policies and triggers of a table that becomes a tenant table."""

from __future__ import annotations

from collections.abc import Container, Iterator

from tenantry.catalog import Catalog, Policy, Table
from tenantry.counts import listed
from tenantry.evidence import keys as evidence
from tenantry.evidence import words
from tenantry.evidence.tables import firing, incoming
from tenantry.init.drafts import Entry, entry, undecided
from tenantry.names import QName, display
from tenantry.steps.isolate import POLICY


def primary_key(catalog: Catalog, table: Table, column: str, owned: Container[QName]) -> Iterator[Entry]:
    """A question, where two tenants may want the same key value and nothing else decides it."""
    key = table.primary_key
    if key is None or column in key.columns:
        return
    found = evidence.planned(catalog, table, owned)
    holders = catalog.holders.get((table.qname, key.name), ())
    if holders and found != "generated":
        names = listed(display(h.qname) for h in holders)
        yield entry("primary_key", "global", f"Depends on the key, which must stay as it is: {names}.")
        return
    if found != "natural":
        return
    yield undecided(
        "primary_key",
        f"Primary key {evidence.describe_columns(table, key.columns)}: {_made(table, key.columns)}, so two tenants"
        ' may want the same value. "global": they cannot have it. "tenant": they can, and the key starts with'
        f" {column}.",
    )


def _made(table: Table, columns: tuple[str, ...]) -> str:
    """How a natural key's value comes about."""
    found = [c for name in columns if (c := table.column(name)) is not None]
    if found and all(c.default for c in found):
        return "every row that gives none gets the same value"
    return "nothing generates it"


def uniques(catalog: Catalog, table: Table, column: str) -> Iterator[Entry]:
    """Unique within a tenant from now on, unless the key looks like one that is asked without a tenant."""
    for unique in evidence.uniques(table):
        if column in unique.columns or not unique.valid:
            continue
        held = sum(fk.referenced_index == unique.name for _, fk in incoming(catalog, table))
        what = unique.describe() + (f", {held} foreign key{'s' if held > 1 else ''} on it" if held else "")
        if unique.credential:
            yield undecided(
                ("unique", unique.name),
                f"{what[0].upper()}{what[1:]}: looks like something looked up before the tenant is known."
                ' "tenant": two tenants may have the same value; { scope = "global", reason = "…" }: they cannot.',
            )
        else:
            yield entry(("unique", unique.name), "tenant", note=what)


def policies(table: Table, *, isolated: bool) -> Iterator[Entry]:
    """Each policy that is there already; a permissive one beside the tenant's own would let rows through.

    One for PUBLIC reaches every role, so that where the table is ``isolated`` for certain only one answer is left.
    """
    for policy in table.policies:
        if policy.name == POLICY:
            continue
        key = ("policies", policy.name)
        if isolated and policy.permissive and not policy.roles:
            yield entry(key, "drop", f"{_describe(policy)}. Kept, it would let rows through beside {POLICY}.")
        else:
            yield undecided(
                key,
                f'{_describe(policy)}. "drop" it, or "keep" it beside {POLICY}'
                " (a permissive one must not apply to the application's role then).",
            )


def _describe(policy: Policy) -> str:
    kind = "Permissive" if policy.permissive else "Restrictive"
    text = f"{kind} policy for {policy.command}, to {', '.join(policy.roles) or 'PUBLIC'}"
    text += f", USING {words.flat(policy.using)}" if policy.using else ""
    return text + (
        f", WITH CHECK {words.flat(policy.check)}" if policy.check and policy.check != policy.using else ""
    )


def triggers(catalog: Catalog, table: Table, column: str, *, constant: bool) -> Iterator[Entry]:
    """User triggers that would fire once for every row that is filled.

    A ``constant`` for a column that they cannot know of is no event of the application, and online it is no UPDATE.
    """
    found = [
        f"{trigger.name} ({trigger.timing.upper()} UPDATE{f' on {display(part.qname)}' if part != table else ''})"
        for part, trigger in firing(catalog, table, column)
    ]
    if not found:
        return
    fires = f"fires {listed(dict.fromkeys(found))}"
    if constant:
        yield entry(
            "triggers",
            "disable",
            f'In migration files the backfill is an UPDATE, and {fires}; "fire" lets them.',
        )
    else:
        yield undecided(
            "triggers",
            f"The backfill is an UPDATE of every row, and {fires}."
            ' "disable": not during the backfill; "fire": let them.',
        )
