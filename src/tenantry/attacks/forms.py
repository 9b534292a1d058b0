"""Statements that show whether a row is reached and end before anything is written.

The server asks a policy's check before it asks NOT NULL, and evaluates what a statement assigns, or a condition that
is not leakproof, only on rows that the policies let through. So 23502 or 22012 means that a row was reached, and 42501
or no row at all that it was not. Measured on PostgreSQL 15 and 18: no transaction id, no WAL of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

from tenantry.attacks.target import Aim, Target, assign
from tenantry.catalog import Column
from tenantry.names import columns, literal, quote

_NEVER = "pg_catalog.floor(pg_catalog.random())::pg_catalog.int4"  # 0, but the planner does not know


def stopper(target: Target, allowed: frozenset[str], *, update: bool = False) -> str | None:
    """A column whose NULL the server refuses after the policy's check and before it writes.

    Not one of a domain, which is refused when the value is made, nor one that says whose or where a row is.
    """
    fit = (
        c.name
        for c in target.table.columns
        if c.not_null and c.name in allowed and c.name not in target.border | target.routing | target.people
        if not _domain(c) and not c.generated and not (update and c.identity == "a")
    )
    return next(fit, None)


def _domain(column: Column) -> bool:
    return column.type != column.base


def insert(aim: Aim, allowed: frozenset[str]) -> str | None:
    """An INSERT that never writes; None where no column stops it.

    Every column is given, so that no default is evaluated: nextval() would write. A partitioned table needs values that a
    part takes; elsewhere only domains are given the victim's.
    """
    target = aim.target
    stop = stopper(target, allowed)
    given = [c for c in target.table.columns if c.name in allowed and not c.generated]
    defaults = [c for c in target.table.columns if c.name not in allowed and c.default is not None]
    if (
        stop is None
        or (target.routing and aim.empty)
        or any("nextval" in (c.default or "") for c in defaults)
    ):
        return None
    whose = target.border | target.people
    kept = {c.name for c in given if target.routing or c.name in whose or _domain(c)} - {stop}
    values = {c.name: aim.row.get(c.name) if c.name in kept else None for c in given}
    names, texts = ", ".join(quote(c) for c in values), ", ".join(literal(v) for v in values.values())
    return f"INSERT INTO {target.sql} ({names}) OVERRIDING SYSTEM VALUE VALUES ({texts})"


def unprivileged(aim: Aim, word: str) -> str:
    """A statement that a role without the privilege may not even have explained, and that does nothing."""
    target = aim.target
    if word == "UPDATE":
        return f"EXPLAIN UPDATE {target.sql} SET {assign(aim.elsewhere)}"
    values = {c: aim.row.get(c) for c in sorted(target.border)}
    texts = ", ".join(literal(v) for v in values.values())
    return f"EXPLAIN INSERT INTO {target.sql} ({columns(tuple(values))}) OVERRIDING SYSTEM VALUE VALUES ({texts})"


def update(target: Target, column: Column) -> str:
    """``UPDATE … SET`` that reads no column; the value raises 22012 on the first row that is reached."""
    return f"UPDATE {target.sql} SET {quote(column.name)} = {raises(column)}"


def raises(column: Column) -> str:
    """A value for a column that raises 22012 when it is evaluated, and reads nothing."""
    return f"CASE WHEN 1 / {_NEVER} = 1 THEN NULL::{column.type} END"


def move(target: Target, values: Mapping[str, str | None], allowed: frozenset[str]) -> str | None:
    """``UPDATE … SET`` of the columns that say whose row it is, which stops after the policy's check."""
    stop = stopper(target, allowed, update=True)
    if stop is None or values.keys() & target.routing:  # from one part to another a row is deleted first
        return None
    return f"UPDATE {target.sql} SET {assign({**values, stop: None})}"


def wire(target: Target, where: str = "") -> str:
    """A condition that raises 22012 on a row that the policies let through and that fulfils ``where``."""
    column = quote(min(target.border))
    if not where:
        return f"1 / CASE WHEN {column} IS NULL THEN 0 ELSE 0 END = 1"
    return f"{where} AND 1 / CASE WHEN {where} THEN 0 ELSE 1 END = 1"
