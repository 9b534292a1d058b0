"""What of one catalog another one lacks: names and flags, since expressions and numbers differ between servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tenantry.catalog import Catalog, Grant, Table
from tenantry.names import QName, display

_NEWER = {"MAINTAIN"}  # a privilege that GRANT ALL means since PostgreSQL 17


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a catalog says; ``name`` is the object's bare name, ``table`` the table that it is about."""

    text: str
    name: str
    table: QName | None = None


def missing(source: Catalog, copy: Catalog) -> tuple[Fact, ...]:
    """The facts of the first that the second does not have; of a table that is not there, only that."""
    there = {fact.text for fact in _facts(copy)}
    gone = {t.qname for t in source.tables} - set(copy.by_name)
    return tuple(
        fact
        for fact in dict.fromkeys(_facts(source))
        if fact.text not in there and (fact.table not in gone or fact.text.startswith("table "))
    )


def _facts(catalog: Catalog) -> Iterator[Fact]:
    for table in catalog.tables:
        if table.extension is None:
            yield from _of_table(table)
    for view in (v for v in catalog.views if v.extension is None):
        yield Fact(f"view {display(view.qname)}", view.name)
        if view.security_invoker:
            yield Fact(f"security_invoker of view {display(view.qname)}", view.name)
        yield from _granted(f"view {display(view.qname)}", view.name, None, view.grants + view.column_grants)
    for function in (f for f in catalog.functions if f.extension is None):
        definer = " SECURITY DEFINER" if function.security_definer else ""
        yield Fact(f"function {display(function.qname)}({function.arguments}){definer}", function.name)
    for sequence in catalog.sequences:
        yield Fact(f"sequence {display(sequence.qname)}", sequence.name)
        yield from _granted(f"sequence {display(sequence.qname)}", sequence.name, None, sequence.grants)
    for schema in catalog.schemas:
        yield Fact(f"schema {schema.name}, owned by {schema.owner}", schema.name)
        yield from _granted(f"schema {schema.name}", schema.name, None, schema.grants)
    yield from (Fact(f"event trigger {name}", name) for name in catalog.event_triggers)


def _of_table(table: Table) -> Iterator[Fact]:
    label = display(table.qname)
    yield Fact(f"table {label}", table.name, table.qname)
    yield Fact(f"owner {table.owner} of {label}", table.name, table.qname)
    for column in table.columns:
        yield Fact(f"column {column.name} {column.type} of {label}", column.name, table.qname)
    for constraint in table.constraints:
        if constraint.kind != "not_null":  # by name since PostgreSQL 18 only
            yield Fact(f"constraint {constraint.name} of {label}", constraint.name, table.qname)
    for index in table.indexes:
        if index.valid:  # what is broken is not copied
            yield Fact(f"index {index.name} of {label}", index.name, table.qname)
    for policy in table.policies:
        text = (
            f"policy {policy.name} of {label} for {policy.command} to {', '.join(policy.roles) or 'PUBLIC'}"
        )
        yield Fact(text, policy.name, table.qname)
    for trigger in table.triggers:
        yield Fact(f"trigger {trigger.name} of {label}, {trigger.enabled}", trigger.name, table.qname)
    for name in table.rules:
        yield Fact(f"rule {name} of {label}", name, table.qname)
    if table.row_security:
        yield Fact(f"row level security of {label}", table.name, table.qname)
    if table.forced:
        yield Fact(f"forced row level security of {label}", table.name, table.qname)
    yield from _granted(label, table.name, table.qname, table.grants + table.column_grants)


def _granted(label: str, name: str, table: QName | None, grants: tuple[Grant, ...]) -> Iterator[Fact]:
    for grant in grants:
        words = [word for word in grant.privileges if word not in _NEWER]
        if words:
            column = f" ({grant.column})" if grant.column else ""
            who = grant.role or "PUBLIC"
            yield Fact(f"{', '.join(words)}{column} on {label} for {who}", name, table)
