"""From the server's answers to an outcome: what counts as refused, as reached, and as no answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import psycopg

from tenantry.attacks import lab as at
from tenantry.attacks.lab import Context, Lab, Result
from tenantry.attacks.target import Aim
from tenantry.finding import NO_ROWS, Cell, ContextName, Outcome, Status

Meaning = Literal["refused", "reached", "unclear"]

_DIVISION_BY_ZERO = "22012"  # the tripwire
_INSUFFICIENT_PRIVILEGE = "42501"  # no privilege, or a row that the policy's check refuses
_RAISED = "P0001"  # RAISE EXCEPTION, as triggers do
_CHECK = "23514"  # without the name of a constraint: no partition takes the row
_UNSAID = ("42704", "22P02")  # the setting is not there, or nothing that can be converted is in it
_WORST: Sequence[Status] = ("breached", "error", "skipped", "held")
_STATUS: Mapping[Meaning, Status] = {"reached": "breached", "unclear": "error", "refused": "held"}


@dataclass(frozen=True, slots=True)
class Try:
    """One attack statement and what came of it; ``shown`` replaces a statement too long to print."""

    context: Context
    statement: str
    result: Result
    meaning: Meaning
    shown: str = ""

    def ran(self) -> Try:
        """Read anew where a statement must not run at all, whatever it touches."""
        if self.result.sqlstate == _INSUFFICIENT_PRIVILEGE:
            return replace(self, meaning="refused")
        return replace(self, meaning="unclear" if self.result.sqlstate else "reached")


@dataclass(frozen=True, slots=True)
class Control:
    """The same statement where it is allowed; ``fired`` says that it did reach the row."""

    result: Result
    fired: bool
    note: str = ""


def meaning(result: Result) -> Meaning:
    """What an answer says about rows of another tenant.

    A constraint (class 23) is only checked on a row that the policy let through, so its violation, too,
    means that the row was reached.
    """
    if result.sqlstate in ("", _INSUFFICIENT_PRIVILEGE):
        return "reached" if result.rows else "refused"
    if result.sqlstate == _CHECK and not result.constraint:
        return "unclear"
    return (
        "reached" if result.sqlstate == _DIVISION_BY_ZERO or result.sqlstate.startswith("23") else "unclear"
    )


def answered(context: Context, result: Result) -> Meaning:
    """What an answer says, given who asked.

    A policy that raises because nothing was claimed lets nothing through; that it does let sessions through, and does
    not raise for them, the ghost's session and the control tell.
    """
    if context.name in ("unset", "empty") and result.sqlstate in _UNSAID:
        return "refused"
    return meaning(result)


def fired(result: Result) -> bool:
    """True when a control reached its row; a trigger that raises has seen the row, too."""
    return meaning(result) == "reached" or result.sqlstate == _RAISED


def ran(lab: Lab, result: Result) -> bool:
    """True when the administrator's DDL ran, or an event trigger refused it: nothing else refuses a superuser."""
    if result.sqlstate in ("", _RAISED):
        return True
    superuser = "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper"
    return result.sqlstate == _INSUFFICIENT_PRIVILEGE and lab.look(superuser) is not None


def attempt(lab: Lab, context: Context, statement: str, shown: str = "") -> Try:
    """Send one statement as the application under ``context``, rolled back."""
    with lab.as_app(context) as run:
        result = run(statement)
    return Try(context, statement, result, answered(context, result), shown)


def control(lab: Lab, aim: Aim, statement: str, *, allowed: bool, closed: bool = False) -> Control:
    """Send a statement where it must reach the row: as its own tenant, or as the administrator.

    The administrator stands in only where the application's role has no such privilege at all, or the command is
    ``closed``, no policy being for it: then that protects the row, and the control shows that the statement itself
    would reach it.
    """
    if allowed and not closed:
        with lab.as_app(at.tenant(aim.tenant)) as run:
            result = run(statement)
        return Control(result, fired(result))
    with lab.as_admin() as run:
        result = run(statement)
    # A privilege refuses before any row is looked at, so in an empty table it is enough that this one is not.
    ran = fired(result) or (aim.empty and not closed and not result.sqlstate)
    why = f"no policy lets {lab.role} do this to any row" if closed else f"{lab.role} lacks the privilege"
    return Control(result, ran, f"{why}; control as the administrator")


def looked(attack: str, label: str, look: Callable[[], Outcome]) -> Outcome:
    """What an attack on one object comes to; one that cannot look is an error there, and the next object follows."""
    try:
        return look()
    except psycopg.Error as error:  # a lost connection is made again for the next one
        return unlooked(attack, label, error)


def unlooked(attack: str, label: str, error: psycopg.Error) -> Outcome:
    """Why a look-up failed."""
    said = error.diag.message_primary or str(error).strip()
    return Outcome(
        attack, label, "error", detail=f"could not look: {error.sqlstate or 'connection lost'} {said}"
    )


def nothing_to_see(attack: str, aim: Aim) -> Outcome:
    """What allowed statements on an empty table come to: never held."""
    return Outcome(attack, aim.target.label, "error", detail=NO_ROWS)


def worst(found: Sequence[Outcome]) -> Outcome:
    """Several outcomes of one attack on one object as one, with the reasons of the worst."""
    one = min(found, key=lambda o: _WORST.index(o.status))
    notes = dict.fromkeys(o.detail for o in found if o.detail and o.status == one.status)
    return replace(
        one,
        tries=sum(o.tries for o in found),
        control_fired=all(o.control_fired for o in found),
        detail="; ".join(notes),
    )


def skipped(attack: str, aim: Aim, why: str) -> Outcome:
    """What was not tried, and why."""
    return Outcome(attack, aim.target.label, "skipped", detail=why)


def matrix(
    lab: Lab,
    aim: Aim,
    attack: str,
    command: str,
    *,
    blind: str | Sequence[str],
    aimed: str,
    allowed: bool,
    shown: str = "",
) -> Outcome:
    """Send each ``blind`` in every context that owns nothing, and ``aimed`` as another tenant that exists.

    Where no policy is for that ``command``, ``aimed`` must be refused to the row's own tenant, too.
    """
    if aim.empty and allowed:
        return nothing_to_see(attack, aim)
    statements = (blind,) if isinstance(blind, str) else blind
    tries = [attempt(lab, context, s, shown) for context in lab.nobody for s in statements]
    if aim.other is not None:
        tries.append(attempt(lab, at.tenant(aim.other), aimed, shown))
    if closed := allowed and command in aim.target.rights.closed:
        tries.append(attempt(lab, at.tenant(aim.tenant), aimed, shown))
    return judge(
        lab, attack, aim.target.label, tries, control(lab, aim, aimed, allowed=allowed, closed=closed)
    )


def cells(tries: Sequence[Try]) -> tuple[Cell, ...]:
    """What came of each context, in the order of the tries; the worst of several counts."""
    worst: dict[ContextName, Meaning] = {}
    order = list(_STATUS)
    for one in tries:
        if one.context.role is not None:  # not the application's session
            continue
        worst[one.context.name] = min(worst.get(one.context.name, "refused"), one.meaning, key=order.index)
    return tuple(Cell(name, _STATUS[found]) for name, found in worst.items())


def judge(lab: Lab, attack: str, label: str, tries: Sequence[Try], check: Control) -> Outcome:
    """Breached beats error; held needs every try refused and the control fired."""
    by = {m: next((t for t in tries if t.meaning == m), None) for m in _STATUS}
    found = by["reached"] or by["unclear"]
    base = Outcome(attack, label, "error", len(tries) + 1, check.fired, cells=cells(tries))
    if found is not None:
        refused = "not refused, " if found.meaning == "reached" else ""
        return replace(
            base,
            status=_STATUS[found.meaning],
            detail=f"as {found.context.label}: {refused}{_told(found.result)}",
            sql=_replay(lab, found),
        )
    if not check.fired:
        return replace(base, detail=f"the control found nothing: {_told(check.result)}")
    return replace(base, status="held", detail=check.note)


def _replay(lab: Lab, found: Try) -> str:
    return lab.replay(found.context, found.shown or found.statement)


def _told(result: Result) -> str:
    match result.sqlstate:
        case "" if result.message:
            return result.message
        case "":
            return f"{result.rows} row{'' if result.rows == 1 else 's'}"
        case "22012":
            return "reached a row"
    return f"{result.sqlstate} {result.message}"
