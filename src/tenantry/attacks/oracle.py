"""Comparing what a tenant sees with what is its own, row by row."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tenantry.attacks import lab as at
from tenantry.attacks.lab import Lab, Result
from tenantry.attacks.sabotage import opened, shut
from tenantry.attacks.target import Aim, Target
from tenantry.attacks.verdict import Control, Meaning, Try, judge, nothing_to_see, skipped
from tenantry.finding import Outcome
from tenantry.names import literal, quote

NAME = "oracle"
WHY = "A tenant sees other rows than its own, in a way that no other attack thought of."
WRITES = False
SABOTAGE = opened("SELECT")
REPAIR = shut("SELECT")

_PAGES = 1000.0  # of a larger table, about so many pages are looked at


def applies(target: Target) -> bool:
    """To tables that the application reads."""
    return target.rights.select and "SELECT" not in target.rights.closed


def run(lab: Lab, aim: Aim) -> Outcome:
    """Number and checksum of the rows, as the tenant and as the administrator who asks for that tenant's, in one snapshot."""
    if aim.empty and aim.target.kind != "trail":
        return nothing_to_see(NAME, aim)
    target = aim.target
    sample = _sample(lab, target)
    keys = [k for k in (aim.tenant, aim.other) if k is not None]
    pairs = [_both(lab, target, key, sample) for key in keys]
    tries = [
        Try(at.tenant(k), _query(target, sample), _told(pair), _compared(pair))
        for k, pair in zip(keys, pairs, strict=True)
    ]
    own = max((pair.own for pair in pairs), key=lambda r: r.first[0] if r.first else -1)
    # In a sample there may be none of the tenant's rows: then the same pages were looked at all the same.
    fired = not own.sqlstate and (bool(own.first and own.first[0]) or bool(sample))
    if target.kind == "trail" and not fired and not own.sqlstate:
        return skipped(NAME, aim, "no events yet: judged by the plan and the policies")
    found = judge(lab, NAME, target.label, tries, Control(own, fired))
    note = f"a sample of {sample} % of its pages" if sample else ""
    return replace(found, detail=note) if found.status == "held" else found


def _sample(lab: Lab, target: Target) -> str:
    """The share of a large table that is looked at, in percent; empty for all of it."""
    query = (
        "SELECT coalesce(sum(pg_catalog.pg_relation_size(t.relid)), 0)::pg_catalog.float8 / 8192 "
        f"FROM pg_catalog.pg_partition_tree({literal(target.sql)}) AS t"
    )
    row = lab.look(query)
    pages = float(row[0]) if row else 0.0
    return f"{100 * _PAGES / pages:.4f}" if pages > _PAGES and target.table.kind != "foreign" else ""


@dataclass(frozen=True, slots=True)
class _Pair:
    """What a tenant sees, what is its own, and, where it sees less than that, how many of the rows are another's."""

    seen: Result
    own: Result
    foreign: Result | None = None


def _row(target: Target) -> str:
    names = ", ".join(f"t.{quote(c)}" for c in sorted(target.rights.columns))
    return f"pg_catalog.hashtextextended(ROW({names})::text, 0)"


def _from(target: Target, sample: str, where: str = "") -> str:
    part = f" TABLESAMPLE SYSTEM ({sample}) REPEATABLE (0)" if sample else ""
    return f"FROM {target.sql} AS t{part}{where}"


def _query(target: Target, sample: str, where: str = "") -> str:
    return f"SELECT pg_catalog.count(*), pg_catalog.sum({_row(target)}) {_from(target, sample, where)}"


def _both(lab: Lab, target: Target, key: str, sample: str) -> _Pair:
    """The tenant's view, and its rows as the administrator finds them, at the same moment."""
    where = f" WHERE {_own(target)} = {literal(key)}"
    with lab.as_admin(snapshot=True) as admin:
        moment = admin("SELECT pg_catalog.pg_export_snapshot()")
        own = admin(_query(target, sample, where))
        with lab.as_app(at.tenant(key), snapshot=str(moment.first[0]) if moment.first else "") as app:
            seen = app(_query(target, sample))
            # One user of a tenant may be shown a part of what is the tenant's.
            if lab.claims.members is None or not _fewer(seen, own):
                return _Pair(seen, own)
            rows = app(f"SELECT pg_catalog.array_agg({_row(target)})::text {_from(target, sample)}")
        if not rows.first or rows.first[0] is None:
            return _Pair(seen, own)
        mine = f"SELECT {_row(target)} {_from(target, sample, where)}"
        shown = f"pg_catalog.unnest({literal(rows.first[0])}::pg_catalog.int8[]) AS s (row)"
        return _Pair(seen, own, admin(f"SELECT pg_catalog.count(*) FROM {shown} WHERE s.row NOT IN ({mine})"))


def _own(target: Target) -> str:
    return f"t.{quote(target.column)}" if target.column else target.owner("t")


def _fewer(seen: Result, own: Result) -> bool:
    return bool(seen.first and own.first and seen.first[0] < own.first[0])


def _compared(pair: _Pair) -> Meaning:
    seen, own = pair.seen, pair.own
    if seen.sqlstate or own.sqlstate or not seen.first or not own.first:
        return "unclear"
    if seen.first == own.first:
        return "refused"
    if pair.foreign is not None and pair.foreign.first:
        return "reached" if pair.foreign.first[0] else "refused"
    return "unclear" if _fewer(seen, own) else "reached"  # fewer: no leak, but not all of its own


def _told(pair: _Pair) -> Result:
    seen, own = pair.seen, pair.own
    if seen.sqlstate or own.sqlstate or not seen.first or not own.first:
        return seen if seen.sqlstate else own
    return replace(seen, message=f"{seen.first[0]} rows are seen where {own.first[0]} are its own")
