"""The functions of work beyond one tenant: work_begin() records it, work_end() its end, work_open() lets rows through.

They run with the rights of the trail's owner and go by who logged in. A piece of work is its event: there is no other
record that could say something else, and without an event no policy lets a row through.
"""

from __future__ import annotations

from collections.abc import Iterator

from tenantry.conversion import Conversion
from tenantry.names import literal, qualified, quote
from tenantry.plan import Change
from tenantry.steps import context, work
from tenantry.steps.events import Trail
from tenantry.steps.trailfunctions import Routine, insert, refuse, routine

WORK = "app.work_id"  # the setting that names the piece of work
LONGEST = {"system": 1440, "support": 480}  # minutes
_TEXT = ("reason", "ticket", "actor", "request_id")
_INSTANT = "timestamp with time zone"
MOST = 1000  # characters of each


def steps(c: Conversion) -> Iterator[Change]:
    """The three functions."""
    t = work.trail(c)
    if t is not None:
        for made in (begin(t), opened(t), end(t)):
            yield from routine(t, made)


def callers(t: Trail) -> tuple[str, ...]:
    """The logins that may call them."""
    return tuple(o.role for o in work.offices(t.c.spec))


def _kind(t: Trail) -> str:
    """SQL: the kind of work that whoever logged in may do, NULL for none."""
    whens = "".join(
        f" WHEN pg_has_role(session_user, {literal(o.role)}, 'USAGE') THEN {literal(o.kind)}"
        for o in work.offices(t.c.spec)
    )
    return f"CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN NULL{whens} END"


def _as(t: Trail, values: dict[str, str]) -> dict[str, str]:
    """Values of an event, each in the type of its column; a login is no actor where that is no text."""
    if t.type("actor_id") != "text":
        values["actor_id"] = "actor"
    return {
        name: value if t.type(name) in ("text", "jsonb") or name == "tenant_id" else f"({value})::{t.type(name)}"
        for name, value in values.items()
    }  # fmt: skip


def _tenant(t: Trail, value: str) -> str:
    return value if t.type("tenant_id") == "text" else f"({value})::{t.type('tenant_id')}"


def begin(t: Trail) -> Routine:
    """``work_begin(reason, ticket, minutes, tenant, actor, request_id, writes)``: an event; returns its id."""
    c = t.c
    key = c.spec.tenancy.key
    said = (
        "jsonb_strip_nulls(jsonb_build_object('role', session_user, 'reason', reason, 'ticket', ticket, "
        "'request_id', request_id, 'writes', writes, 'minutes', minutes, 'from', now(), "
        "'until', clock_timestamp() + make_interval(mins => minutes)))"
    )
    values = _as(t, {
        "tenant_id": _tenant(t, "tenant"), "actor_id": "coalesce(actor, session_user)",
        "action": "'audit.' || kind || '.begin'", "resource_type": "CASE WHEN tenant IS NOT NULL THEN 'tenant' END",
        "resource_id": "tenant", "metadata": said,
    })  # fmt: skip
    if t.spec.extended:
        values |= {"actor_type": "kind", "request_id": "request_id"}
    body = (
        f"\nDECLARE\n  kind text := {_kind(t)};\n  event {t.type('id')};\nBEGIN\n"
        + "".join(_checks())
        + "  IF tenant IS NOT NULL THEN\n"
        f"{_entered(c)}"
        f"    IF NOT EXISTS (SELECT FROM {qualified(c.tenants)} AS t WHERE t.{quote(key)}::text = tenant) THEN\n"
        "      RAISE EXCEPTION 'work: there is no tenant %', quote_literal(tenant)\n"
        "        USING ERRCODE = '02000', HINT = 'Name one by its id.';\n    END IF;\n  END IF;\n"
        f"  {insert(t, values, ' RETURNING id INTO event')};\n  RETURN event::text;\nEND\n"
    )
    arguments = (
        ("reason", "text", ""), ("ticket", "text", "NULL"), ("minutes", "integer", "60"), ("tenant", "text", "NULL"),
        ("actor", "text", "NULL"), ("request_id", "text", "NULL"), ("writes", "boolean", "false"),
    )  # fmt: skip
    why = "Records that work beyond one tenant begins: who, why, for how long."
    return Routine(t.at("work_begin"), arguments, "text", body, callers(t), why)


def _entered(c: Conversion) -> str:
    """What lets the look-up of a tenant see it. Who signs it is not these functions, but whoever calls them."""
    if not context.signed(c.spec):
        return f"    PERFORM set_config({literal(c.spec.tenancy.setting)}, tenant, true);\n"
    return "  " + refuse(
        f"tenant IS DISTINCT FROM ({context.default(c)})::text", "work: this transaction is not of tenant %",
        "Begin it in a transaction that is bound to that tenant, by its signed value.", "tenant",
    ).replace("\n  ", "\n    ").removesuffix("  ")  # fmt: skip


def _checks() -> Iterator[str]:
    yield refuse(
        "kind IS NULL", "work: % has none to do here", "Log in as [roles] system or support.", "session_user"
    )
    yield refuse("reason IS NULL OR reason !~ '\\S'", "work: without a reason", "Say why it is done.")
    for name in _TEXT:
        yield refuse(
            f"length({name}) > {MOST}", f"work: {name} has more than {MOST} characters", "Shorten it."
        )
    longest = " ".join(f"WHEN {literal(kind)} THEN {most}" for kind, most in LONGEST.items())
    yield refuse(
        f"minutes IS NULL OR minutes < 1 OR minutes > (CASE kind {longest} END)", "work: % minutes are not possible",
        f"Say how long it may take: at most {LONGEST['system']} minutes of system work, {LONGEST['support']} of support.",
        "coalesce(minutes::text, 'no')",
    )  # fmt: skip
    yield refuse(
        "kind = 'support' AND (ticket IS NULL OR ticket !~ '\\S')", "work: support without a ticket",
        "Name the request of the tenant that asks for it.",
    )  # fmt: skip
    yield refuse(
        "(kind = 'support') <> (tenant IS NOT NULL AND tenant <> '')",
        "work: support is for one tenant, and the system works for all",
        "Name the tenant of support; system work has none.",
    )  # fmt: skip


def _found(t: Trail) -> str:
    """SQL of the FROM on: the event that begins the piece of work, of whoever logged in."""
    id_ = "work" if t.type("id") == "text" else f"work::{t.type('id')}"
    sure = " AND e.database_user = session_user" if t.spec.extended else ""
    return (
        f"FROM {qualified(t.name)} AS e\n    WHERE e.id = {id_} AND e.action = 'audit.' || kind || '.begin'\n"
        f"      AND e.metadata ->> 'role' = session_user{sure}"
    )


def _over(t: Trail) -> str:
    """SQL: whether it has ended. The time only narrows what is looked through, where it means one instant."""
    after = " AND e.created_at >= begun.created_at" if t.type("created_at") == _INSTANT else ""
    return (
        f"EXISTS (SELECT FROM {qualified(t.name)} AS e WHERE e.action = 'audit.' || kind || '.end'{after}\n"
        "      AND e.resource_type = 'work' AND e.resource_id = work)"
    )


def opened(t: Trail) -> Routine:
    """``work_open()``: true while the transaction's piece of work is open; raises where it is not."""
    session = f"({context.default(t.c)})::text"

    def deny(condition: str, message: str, hint: str, *shown: str) -> str:
        return refuse(condition, message, hint, *shown, code="42501")

    body = (
        f"\nDECLARE\n  kind text := {_kind(t)};\n  work text := nullif(current_setting({literal(WORK)}, true), '');\n"
        "  begun record;\nBEGIN\n"
        + deny(
            "kind IS NULL OR work IS NULL", "% reaches rows of tenants only in work that is recorded",
            "Begin it with system_scope() or support_access() of tenantry.runtime.work.", "session_user",
        )
        + f"  SELECT e.tenant_id, e.created_at, e.metadata INTO begun {_found(t)};\n"
        + deny("NOT FOUND", "work %: the trail holds no such work of %", "Begin it anew.", "work", "session_user")
        + deny(
            # Until it is committed it may be rolled back, and would leave no trace of what was read.
            "(begun.metadata ->> 'from')::timestamptz >= now()", "work % was begun in this transaction, or after it",
            "Commit it, and work in the next one.", "work",
        )
        + deny(
            "clock_timestamp() >= (begun.metadata ->> 'until')::timestamptz", "work % was to end at %",
            "Begin it anew, for more minutes if it needs them.", "work", "begun.metadata ->> 'until'",
        )
        + deny(_over(t), "work % is over", "Begin it anew.", "work")
        + deny(
            f"kind = 'support' AND begun.tenant_id::text IS DISTINCT FROM {session}",
            "work % is for tenant % only", "Begin work for the other tenant.", "work", "begun.tenant_id",
        )
        + deny(
            "NOT (begun.metadata ->> 'writes')::boolean AND current_setting('transaction_read_only') = 'off'",
            "work % may only read", "Make its transactions READ ONLY, or begin work that writes.", "work",
        )
        + "  RETURN true;\nEND\n"
    )  # fmt: skip
    why = "Lets rows through for a piece of work that the trail tells of, and for nothing else."
    return Routine(t.at(work.OPEN), (), "boolean", body, callers(t), why, stable=True)


def end(t: Trail) -> Routine:
    """``work_end(work, outcome, actor)``: the event of the end, once."""
    took = "extract(epoch FROM clock_timestamp() - begun.created_at)"
    said = f"jsonb_build_object('role', session_user, 'outcome', outcome, 'seconds', round({took}, 3))"
    values = _as(t, {
        "tenant_id": "begun.tenant_id", "actor_id": "coalesce(actor, session_user)",
        "action": "'audit.' || kind || '.end'", "resource_type": "'work'", "resource_id": "work", "metadata": said,
    })  # fmt: skip
    if t.spec.extended:
        values |= {"outcome": "outcome", "actor_type": "kind"}
    body = (
        f"\nDECLARE\n  kind text := {_kind(t)};\n  begun record;\nBEGIN\n"
        f"  SELECT e.tenant_id, e.created_at INTO begun {_found(t)};\n"
        + refuse("NOT FOUND", "work %: the trail holds no such work of %", "Begin it first.", "work", "session_user")
        + refuse(_over(t), "work % is over", "It ends once.", "work")
        + refuse(
            "outcome IS NULL OR outcome NOT IN ('success', 'failure')", "work %: % is no outcome",
            "Say success or failure.", "work", "coalesce(quote_literal(outcome), 'NULL')",
        )
        + f"  {insert(t, values)};\nEND\n"
    )  # fmt: skip
    arguments = (("work", "text", ""), ("outcome", "text", ""), ("actor", "text", "NULL"))
    return Routine(t.at("work_end"), arguments, "void", body, callers(t), "Records how such work ended.")
