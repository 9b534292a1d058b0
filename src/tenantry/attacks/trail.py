"""Rewriting the audit trail, and reading or writing another tenant's events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tenantry.attacks import forms
from tenantry.attacks import lab as at
from tenantry.attacks.lab import TRIPWIRE, UNSET, Context, Lab, Result
from tenantry.attacks.target import Aim, Target
from tenantry.attacks.verdict import Control, Meaning, Try, answered, attempt, control, judge, meaning
from tenantry.finding import Outcome
from tenantry.names import literal, quote

NAME = "trail"
WHY = "An event of the audit trail is changed, removed, forged for another tenant or read by one."
WRITES = False
SABOTAGE = ("ALTER TABLE {table} DISABLE TRIGGER USER",)
REPAIR = ("ALTER TABLE {table} ENABLE TRIGGER USER",)

_REFUSED_BY_TRIGGER = "P0001"
_PRIVILEGE = "42501"


def applies(target: Target) -> bool:
    """To the trail alone."""
    return target.kind == "trail"


def run(lab: Lab, aim: Aim) -> Outcome:
    """An own event is written and, where events can be read, seen: that is the control.

    In production nothing is written: forging ends before the row, events that are there are looked for, and the guards
    are asked with statements that reach no row.
    """
    if not lab.how.writes:
        return _unwritten(lab, aim)
    tries = [*_forged(lab, aim), *_read(lab, aim), *_rewritten(lab, aim), *_as_owner(lab, aim)]
    return judge(lab, NAME, aim.target.label, tries, _control(lab, aim))


def _unwritten(lab: Lab, aim: Aim) -> Outcome:
    target = aim.target
    allowed = target.border <= target.rights.insert
    columns = target.rights.insert if allowed else frozenset(c.name for c in target.table.columns)
    trigger = lab.stays(target, "insert")
    forged = None if trigger else forms.insert(aim, columns)
    seen = f"SELECT 1 FROM {target.sql} LIMIT 1"
    tries = [attempt(lab, c, forged) for c in _others(lab, aim)] if forged else []
    tries += [attempt(lab, c, seen) for c in lab.nobody]
    owner, words = at.tenant(aim.tenant), target.rights.words
    for statement in _rewrites(aim, where=" WHERE false", end=""):
        if statement.startswith("TRUNCATE") and "TRUNCATE" in words:
            continue  # it would lock the table; that it may is a finding
        tries.append(_refused(attempt(lab, owner, statement), _PRIVILEGE, _REFUSED_BY_TRIGGER))
    tries += _as_owner(lab, aim)
    check = control(lab, aim, forged, allowed=allowed) if forged else Control(Result(), not allowed)
    found = judge(lab, NAME, target.label, tries, check)
    if found.status == "held" and (forged is None or aim.empty):
        why = trigger or "no NOT NULL column would stop a forged event" if forged is None else "no events yet"
        what = "reading" if forged else "forging"
        return replace(
            found, status="skipped", detail=f"{why}: {what} is judged by the plan and the policies"
        )
    return found


def _refused(found: Try, *states: str) -> Try:
    return replace(found, meaning=_refusal(found.result, *states))


def _event(aim: Aim) -> str:
    """An INSERT of an event: the tenant, and whatever else must be given, as text."""
    table = aim.target.table
    given = [
        c.name for c in table.columns if c.not_null and c.default is None and not (c.generated or c.identity)
    ]
    values = dict.fromkeys(given, "tenantry.prove") | {aim.target.column or "": aim.tenant}
    names, texts = ", ".join(quote(c) for c in values), ", ".join(literal(v) for v in values.values())
    return f"INSERT INTO {aim.target.sql} ({names}) VALUES ({texts})"


def _control(lab: Lab, aim: Aim) -> Control:
    with lab.as_app(at.tenant(aim.tenant)) as run_:
        written = run_(_event(aim))
        if not written.rows or not aim.target.rights.select:
            return Control(written, bool(written.rows))
        seen = run_(f"SELECT 1 FROM {aim.target.sql} LIMIT 1")
        return Control(seen, bool(seen.rows))


def _forged(lab: Lab, aim: Aim) -> Iterator[Try]:
    """The victim's event, written by others."""
    statement = f"{_event(aim)} {TRIPWIRE}"
    for context in _others(lab, aim):
        with lab.as_app(context) as run_:
            result = run_(statement)
        yield Try(context, statement, result, answered(context, result))


def _read(lab: Lab, aim: Aim) -> Iterator[Try]:
    """An own event is written, then the tenant is changed within the transaction: nothing may be seen."""
    query = f"SELECT 1 FROM {aim.target.sql} LIMIT 1"
    for context in lab.nobody:
        start = at.tenant(aim.tenant) if context is not UNSET else UNSET
        with lab.as_app(start) as run_:
            before = () if context is UNSET else (_event(aim), lab.switch(context))
            for statement in before:
                run_(statement)
            result = run_(query)
        shown = "; ".join([*before, query])
        found = answered(context, result)
        yield Try(Context(context.label, start.tenant, context.name), query, result, found, shown)


def _rewritten(lab: Lab, aim: Aim) -> Iterator[Try]:
    """The application takes back its own event; only a refusal will do, not even zero rows."""
    owner = at.tenant(aim.tenant)
    for statement in _rewrites(aim, where="", end=f" {TRIPWIRE}"):
        with lab.as_app(owner) as run_:
            run_(_event(aim))
            result = run_(statement)
        found = _refusal(result, _PRIVILEGE, _REFUSED_BY_TRIGGER)
        yield Try(owner, statement, result, found, f"{_event(aim)}; {statement}")


def _as_owner(lab: Lab, aim: Aim) -> Iterator[Try]:
    """Whoever has every privilege is stopped by the triggers, also where no row is touched."""
    for role in dict.fromkeys((None, aim.target.table.owner)):
        who = Context(f"the role {role}" if role else "the administrator's role", None, role=role or "")
        for statement in _rewrites(aim, where=" WHERE false", end=""):
            if statement.startswith("TRUNCATE") and not lab.how.writes:
                continue
            with lab.as_admin(role) as run_:
                result = run_(statement)
            yield Try(who, statement, result, _refusal(result, _REFUSED_BY_TRIGGER))


def _refusal(result: Result, *states: str) -> Meaning:
    """Only these refusals count; a statement that ran was not refused, whatever it touched."""
    if result.sqlstate in states:
        return "refused"
    return "unclear" if result.sqlstate and meaning(result) != "reached" else "reached"


def _others(lab: Lab, aim: Aim) -> tuple[Context, ...]:
    return (*lab.nobody, *([at.tenant(aim.other)] if aim.other is not None else []))


def _rewrites(aim: Aim, where: str, end: str) -> tuple[str, ...]:
    sql, column = aim.target.sql, quote(aim.target.column or "")
    change = f"UPDATE {sql} SET {column} = {literal(aim.tenant)}"
    return (f"{change}{where}{end}", f"DELETE FROM {sql}{where}{end}", f"TRUNCATE {sql}")
