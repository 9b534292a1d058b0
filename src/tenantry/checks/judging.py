"""What policies come to once it is known which columns and settings are the tenant's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tenantry.checks.policies import Reading

# By oid: the table, and what both expressions came to.
Readings = Mapping[int, tuple[int, Reading | None, Reading | None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What policies may compare: with which settings (none: any), tenant columns by table, and columns of people.

    ``signed``: only with what checks a signature.
    """

    settings: frozenset[str]
    columns: Mapping[int, int]
    people: frozenset[tuple[int, int]] = frozenset()
    signed: bool = False


def judged(readings: Readings, asked: Asked, permissive: set[int]) -> Iterator[Mapping[str, Any]]:
    """Every policy's readings, seen with what is known of its table and of the tables that it asks."""
    own = {oid: _fitting(rel, using, asked) for oid, (rel, using, _) in readings.items()}
    tables: dict[int, list[Reading]] = {}
    for oid, (relation, _, _) in readings.items():
        using = own[oid]
        if oid in permissive and using is not None:
            tables.setdefault(relation, []).append(using)
    safe = {
        rel for rel, found in tables.items() if all(r.form in ("tenant", "through", "closed") for r in found)
    }
    for oid, (relation, _, check) in readings.items():
        parts = {"using": own[oid], "check": _fitting(relation, check, asked)}
        yield {"oid": oid, "readings": {part: _written(r, safe) for part, r in parts.items()}}


def _fitting(relation: int, reading: Reading | None, asked: Asked) -> Reading | None:
    """A comparison counts only with the tenant's own column and setting, and where tenants are signed with what checks
    the signature: any session can be in the state that another one takes for a tenant's."""
    if reading is None or reading.form not in ("tenant", "through", "null-rows"):
        return reading
    if reading.form == "null-rows":
        own = asked.columns.get(relation) in (None, reading.column)
        return reading if own else replace(reading, form="open")
    where = reading.relation or relation
    column = asked.columns.get(where)
    traits = reading.traits
    if column not in (None, reading.column) and (where, reading.column) not in asked.people:
        traits += ("wrong-column",)
    if asked.settings and reading.setting not in asked.settings:
        traits += ("other-setting",)
    if traits != reading.traits:
        return replace(reading, form="other", traits=traits)
    return replace(reading, form="fail-open") if asked.signed and "signed" not in traits else reading


def _written(reading: Reading | None, safe: set[int]) -> Mapping[str, Any] | None:
    if reading is None:
        return None
    form = reading.form
    if form == "parent":
        form = "through" if reading.relation in safe else "other"
    return {
        "form": form,
        "setting": reading.setting,
        "column": reading.column,
        "relation": reading.relation,
        "traits": reading.traits,
    }
