"""Two worlds: whatever a tenant can read must not change when another tenant's rows are gone.

Nothing is assumed about how a leak would work, so views, materialized views and functions are judged, too. One transaction,
rolled back: not for production. It says nothing of EXPLAIN, timing and sequences, nor of foreign servers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg

from tenantry.attacks import lab as at
from tenantry.attacks.aim import residents
from tenantry.attacks.lab import Lab, Result, Run
from tenantry.attacks.reach import Function, Reach, below
from tenantry.attacks.target import Target
from tenantry.catalog import textual
from tenantry.finding import Cell, Outcome
from tenantry.names import display, literal, qualified, quote

NAME = "worlds"
WHY = "What a tenant reads depends on rows of another tenant, whatever the way."
WRITES = True
SABOTAGE = (
    "CREATE MATERIALIZED VIEW sabotage AS SELECT count(*) FROM {table}",
    "GRANT SELECT ON sabotage TO PUBLIC",
)
REPAIR = ("DROP MATERIALIZED VIEW sabotage",)

_PATIENCE = {"statement_timeout": "60s", "lock_timeout": "1s"}
_AGAIN = 8  # times that something is asked once more in one world: chance that agrees so often is none
# Of a function: it may not, or it says no, as RAISE does by itself or under the code for a bad parameter.
_REFUSALS = ("42501", "P0001", "22023")


@dataclass(frozen=True, slots=True)
class Output:
    """Something that the application can read, and the query that puts all of it into one row.

    ``borrowed``: it is read with the rights of somebody else, its owner.
    """

    label: str
    query: str
    function: bool = False
    borrowed: bool = False
    guess: bool = False  # with arguments that it need not take


@dataclass(frozen=True, slots=True)
class Seen:
    """An output before and after, for one observer, and how many rows were taken away between; ``stuck``: or why not.

    ``restless``: it differs each time, whatever rows there are (chance, a clock, a sequence), so it tells nothing.
    """

    observer: str
    before: Result
    after: Result
    removed: int  # of a table, its own
    stuck: str = ""
    restless: bool = False


def run(lab: Lab, reach: Reach) -> Iterator[Outcome]:
    """Both ways round, for two tenants that have rows. Of one tenant alone there is nothing to say, and nothing is said."""
    pair = residents(lab)
    if len(pair) < 2:
        return
    found: dict[Output, list[Seen]] = {}
    for observer, gone in (pair, pair[::-1]):
        outputs = [*_relations(lab, reach), *_functions(lab, reach, gone)]
        for output, seen in _watched(lab, reach, outputs, observer, gone):
            found.setdefault(output, []).append(seen)
    for label in dict.fromkeys(o.label for o in found):
        yield _judged(lab, {o: s for o, s in found.items() if o.label == label}, label)


def _relations(lab: Lab, reach: Reach) -> Iterator[Output]:
    readable = {
        t.label: (t.sql, tuple(sorted(t.rights.columns))) for t in lab.targets.values() if t.rights.select
    }
    readable |= {
        r.label: (r.sql, r.columns) for r in reach.relations if r.columns and r.kind != "foreign table"
    }
    borrowed = {display(v.qname) for v in reach.catalog.views if not v.security_invoker}
    for label, (sql, names) in sorted(readable.items()):
        row = ", ".join(f"t.{quote(c)}" for c in names)
        yield Output(label, _digest(f"ROW({row})::text", f"{sql} AS t"), borrowed=label in borrowed)


def _digest(value: str, source: str) -> str:
    return (
        f"SELECT pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended({value}, 0)) FROM {source}"
    )


def _functions(lab: Lab, reach: Reach, gone: str) -> Iterator[Output]:
    """Each with arguments that point at the tenant that will be gone: its id, and keys of its rows.

    What searches a table is also asked for what is in a row of it.
    """
    keys = list(_keys(lab, gone)) if any(f.types for f in reach.functions) else []
    for function in reach.functions:
        found = dict.fromkeys(_arguments(function, keys), False)
        table = lab.targets.get(function.searches) if function.searches is not None else None
        if table is not None:
            words = _row(lab, table, gone)
            found = dict.fromkeys(_one_by_one(function, words), True) | found
        for given, guess in found.items():
            first, last = given[:-1], given[-1:]
            last = tuple(f"VARIADIC {g}" for g in last) if function.variadic else last
            call = f"{qualified(function.name)}({', '.join((*first, *last))}) AS t"
            yield Output(
                function.label,
                _digest("t::text", call),
                function=True,
                borrowed=function.definer,
                guess=guess,
            )


def _row(lab: Lab, target: Target, gone: str) -> list[tuple[str, str]]:
    """Type and value of each column of a row of the tenant, where there is one."""
    columns = target.table.columns
    values = ", ".join(f"t.{quote(c.name)}::text" for c in columns)
    query = f"SELECT {values} FROM {target.sql} AS t WHERE {target.owner('t')} = {literal(gone)} LIMIT 1"
    with contextlib.suppress(
        psycopg.Error
    ):  # of a table that cannot be looked at, which its own outcome says
        row = lab.look(query) or ()
        return [(c.base, str(v)) for c, v in zip(columns, row, strict=False) if v is not None]
    return []


def _one_by_one(function: Function, words: Sequence[tuple[str, str]]) -> Iterator[tuple[str, ...]]:
    """Every value in the place of every argument that it fits, the others left open."""
    for place, wanted in enumerate(function.types):
        for type_, value in words:
            if _fits(wanted, type_):
                yield tuple(
                    f"{literal(value)}::{t}" if n == place else f"NULL::{t}"
                    for n, t in enumerate(function.types)
                )


def _keys(lab: Lab, gone: str) -> Iterator[tuple[str, str, str]]:
    """Table, type and value of the key of one row in each table, the tenants' own first."""
    for target in sorted(lab.targets.values(), key=lambda t: t.kind != "tenants"):
        key = target.table.primary_key
        names = (target.column,) if target.kind == "tenants" else key.columns if key else ()
        column = target.table.column(names[0] or "") if len(names) == 1 else None
        if column is None:
            continue
        where = f"{target.owner('t')} = {literal(gone)}"
        query = f"SELECT t.{quote(column.name)}::text FROM {target.sql} AS t WHERE {where} LIMIT 1"
        with contextlib.suppress(
            psycopg.Error
        ):  # of a table that cannot be looked at, which its own outcome says
            if row := lab.look(query):
                yield target.table.name, column.base, str(row[0])


def _arguments(function: Function, keys: Sequence[tuple[str, str, str]]) -> Iterator[tuple[str, ...]]:
    """A few ways to call it: one without arguments, else one for each key whose type fits all that fit any."""
    if not function.types:
        yield ()
        return
    tried: set[tuple[str, ...]] = set()
    for _, type_, value in keys:
        given = tuple(f"{literal(value)}::{t}" if _fits(t, type_) else f"NULL::{t}" for t in function.types)
        if any(not g.startswith("NULL::") for g in given) and given not in tried and len(tried) < 4:
            tried.add(given)
            yield given


def _fits(wanted: str, type_: str) -> bool:
    return type_ == wanted or (textual(wanted) and textual(type_))


def _watched(
    lab: Lab, reach: Reach, outputs: Sequence[Output], observer: str, gone: str
) -> Iterator[tuple[Output, Seen]]:
    with lab.as_admin() as run_:
        run_(at.set_all(_PATIENCE))
        before = _snapshot(lab, run_, outputs, observer)
        removed = _remove(lab, run_, gone)
        views = _refresh(reach, run_)
        after = _snapshot(lab, run_, outputs, observer)
        restless = _restless(lab, run_, before, after, observer)
    for output in outputs:
        # A table shows its own rows; a view or function may show anybody's.
        mine = {output.label: removed[output.label]} if output.label in removed else removed
        mine |= {output.label: views[output.label]} if output.label in views else {}
        stuck = next((f"{name}: {r.sqlstate} {r.message}" for name, r in mine.items() if r.sqlstate), "")
        rows = sum(r.rows for name, r in mine.items() if name in removed)
        yield output, Seen(observer, before[output], after[output], rows, stuck, output in restless)


def _restless(
    lab: Lab, run_: Run, before: Mapping[Output, Result], after: Mapping[Output, Result], observer: str
) -> set[Output]:
    """Those that differ, and differ again where nothing was taken away. A number of rows that stays counts all the same."""
    doubted = [output for output in after if _differ(before[output], after[output])]
    seen = {output: [after[output]] for output in doubted}
    for _ in range(_AGAIN if doubted else 0):
        for output, result in _snapshot(lab, run_, doubted, observer).items():
            seen[output].append(result)
    return {
        output
        for output, results in seen.items()
        if any(_differ(results[0], r) for r in results)
        and (len({_size(r) for r in results}) > 1 or _size(before[output]) == _size(results[0]))
    }


def _size(result: Result) -> tuple[str, object]:
    """The part of a result that chance seldom changes: the error, or how many rows."""
    return result.sqlstate, result.first[0] if result.first else None


def _snapshot(lab: Lab, run_: Run, outputs: Sequence[Output], observer: str) -> Mapping[Output, Result]:
    """Everything as the application sees it; the role and the tenant end with the savepoint."""
    run_("SAVEPOINT observer")
    run_(at.set_all({**lab.settings(observer), "row_security": "on", "role": lab.role}))
    found = {output: _safely(run_, output.query) for output in outputs}
    run_("ROLLBACK TO SAVEPOINT observer")
    return found


def _safely(run_: Run, statement: str) -> Result:
    run_("SAVEPOINT one")
    result = run_(statement)
    run_("ROLLBACK TO SAVEPOINT one" if result.sqlstate else "RELEASE SAVEPOINT one")
    return result


def _remove(lab: Lab, run_: Run, gone: str) -> dict[str, Result]:
    """Delete every row of a tenant, those that are found through others first; triggers and foreign keys rest.

    Returns what came of it by table; a partition has those of the table that it is a part of.
    """
    set_ = _safely(run_, at.set_all({"session_replication_role": "replica"}))
    if set_.sqlstate:  # the administrator may not
        return {target.label: set_ for target in lab.targets.values()}
    removed: dict[str, Result] = {}
    for target in sorted(lab.targets.values(), key=_depth, reverse=True):
        for trigger in target.table.triggers:
            if trigger.enabled == "A":  # fires even so
                _safely(run_, f"ALTER TABLE {target.sql} DISABLE TRIGGER {quote(trigger.name)}")
        mine = f"t.{quote(target.column)}" if target.column else target.owner("t")
        removed[target.label] = _safely(run_, f"DELETE FROM {target.sql} AS t WHERE {mine} = {literal(gone)}")
    run_(at.set_all({"session_replication_role": "origin"}))
    return removed


def _refresh(reach: Reach, run_: Run) -> dict[str, Result]:
    """Materialized views made anew from what is left, by name; one that reads another after that."""
    under = below(reach.catalog)
    views = sorted(
        (v.qname for v in reach.catalog.views if v.materialized), key=lambda v: len(under.get(v, ()))
    )
    return {display(name): _safely(run_, f"REFRESH MATERIALIZED VIEW {qualified(name)}") for name in views}


def _depth(target: Target) -> int:
    return 1 + _depth(target.parent) if target.parent else 0 if target.kind == "tenants" else 1


def _judged(lab: Lab, found: Mapping[Output, list[Seen]], label: str) -> Outcome:
    tries = sum(2 * len(seen) for seen in found.values())
    removed = max(s.removed for seen in found.values() for s in seen)
    base = Outcome(NAME, label, "held", tries, removed > 0, cells=(Cell("tenant", "held"),))
    for output, seen in found.items():
        for one in seen:
            if _differ(one.before, one.after) and not one.restless:
                told = f"{_told(one.before)} before and {_told(one.after)} after every row of another tenant was removed"
                sql = lab.replay(at.tenant(one.observer), output.query)
                cells = (Cell("tenant", "breached"),)
                return replace(
                    base, status="breached", detail=f"as tenant {one.observer}: {told}", sql=sql, cells=cells
                )
    both = [(o, s) for o, seen in found.items() for s in seen]
    failed = [(o, s.before) for o, s in both if s.before.sqlstate]
    failed += [(o, s.after) for o, s in both if _unclear(s.after)]
    bad = next((result for o, result in failed if not _refused(o, result)), None)
    if bad is not None:
        return replace(base, status="error", detail=f"could not look: {bad.sqlstate} {bad.message}", cells=())
    stuck = next((s.stuck for seen in found.values() for s in seen if s.stuck), "")
    if stuck:
        told = f"could not look: rows of another tenant could not be taken away from {stuck}"
        return replace(base, status="error", detail=told, cells=())
    # With the application's own rights it tells no more than what these read, which is attacked by itself.
    if any(o.borrowed and s.restless for o, s in both):
        told = "gives another result each time, with the same rows: what it tells of them cannot be compared"
        return replace(base, status="skipped", detail=told, cells=())
    if not removed:
        told = "no row of another tenant to remove: judged by the plan and the policies"
        return replace(base, status="skipped", detail=told, cells=())
    return base


def _differ(one: Result, other: Result) -> bool:
    if _unclear(one) or _unclear(other):
        return False
    return (one.sqlstate, one.first) != (other.sqlstate, other.first)


def _refused(output: Output, result: Result) -> bool:
    """A function may say no; a search also to a value that is none for it (class 22, data exception)."""
    return output.function and (
        result.sqlstate in _REFUSALS or (output.guess and result.sqlstate.startswith("22"))
    )


def _unclear(result: Result) -> bool:
    """An error about the moment, and not about rows: a timeout, a lock, a lack of memory, a transaction that has failed."""
    return result.sqlstate[:2] in ("25", "53", "55", "57", "58") or result.sqlstate == "40P01"


def _told(result: Result) -> str:
    if result.sqlstate:
        return result.sqlstate
    return f"{result.first[0]} rows (checksum {result.first[1]})" if result.first else "nothing"
