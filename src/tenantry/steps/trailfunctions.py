"""The functions of an extended trail: log() writes an event, read() reads and says so, erase() forgets a person.

Each runs with the rights of the trail's owner, so that nobody else needs any. Tenant, actor and request come from
the settings of the transaction and are no arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tenantry import ddl, verify
from tenantry.catalog import Function, Policy
from tenantry.conversion import Conversion
from tenantry.names import QName, display, literal, qualified, quote
from tenantry.plan import Change, Phase
from tenantry.spec import ACTION, ACTION_LENGTH, RESERVED
from tenantry.steps import context
from tenantry.steps.events import ACTOR, ADDRESS, OUTCOMES, OWN_POLICY, PERSONAL, READ_POLICY, Trail, trail

CONFIG = ("search_path=pg_catalog, pg_temp", "row_security=on")
MOST_BYTES = 65536  # of each JSON value of an event
_ARGUMENTS = (
    ("action", "text", ""),
    ("resource_type", "text", "NULL"),
    ("resource_id", "text", "NULL"),
    ("outcome", "text", "'success'"),
    ("metadata", "jsonb", "NULL"),
    ("targets", "jsonb", "NULL"),
    ("context", "jsonb", "NULL"),
    ("actor_type", "text", "NULL"),
    ("impersonator_id", "text", "NULL"),
    ("personal", "jsonb", "NULL"),
    ("subject", "text", "NULL"),
)


@dataclass(frozen=True, slots=True)
class Routine:
    """A function that runs with the rights of the trail's owner; ``arguments`` are (name, type, default)."""

    name: QName
    arguments: tuple[tuple[str, str, str], ...]
    returns: str
    body: str
    callers: tuple[str, ...]
    why: str
    stable: bool = False

    @property
    def signature(self) -> str:
        """Quoted SQL, with the types of the arguments."""
        return f"{qualified(self.name)}({', '.join(type_ for _, type_, _ in self.arguments)})"

    def function(self, owner: str) -> Function:
        """As the catalog has it, where it belongs to ``owner``."""
        arguments = ", ".join(f"{name} {type_}" for name, type_, _ in self.arguments)
        return Function(
            *self.name, arguments, "plpgsql", "f", True, self.body, CONFIG, owner=owner, callers=self.callers,
            volatility="s" if self.stable else "v",
        )  # fmt: skip


def steps(c: Conversion) -> Iterator[Change]:
    """The side table of personal data, and the functions."""
    t = trail(c)
    if t is not None:
        yield from personal(t)
        for made in (log(t), read(t), erase(t)):
            yield from routine(t, made)


def routine(t: Trail, r: Routine) -> Iterator[Change]:
    """The step that makes a function, or brings it back to what it is to be."""
    known = [f for f in t.c.catalog.functions if f.qname == r.name]
    wanted = r.function(t.spec.owner)
    if any(f.like(wanted) for f in known):
        return
    spare = {"", *(caller for f in known for caller in f.callers)} - {*r.callers, t.spec.owner}
    rest = [ddl.revoke("FUNCTION", r.signature, ["ALL"], role) for role in sorted(spare)]
    rest += [ddl.grant("FUNCTION", r.signature, ["EXECUTE"], role) for role in r.callers]
    yield Change(
        id=f"harden.{display(r.name)}", phase=Phase.HARDEN, object=display(r.name), why=r.why,
        apply=(_create(r), ddl.own_function(r.signature, t.spec.owner), *rest),
        verify=verify.query(verify.function(r.signature, wanted)),
        revert=() if known else (ddl.drop_function(r.signature),),
    )  # fmt: skip


def _create(r: Routine) -> str:
    given = ",\n  ".join(f"{n} {t}{f' DEFAULT {d}' if d else ''}" for n, t, d in r.arguments)
    settings = " ".join(f"SET {each.replace('=', ' = ', 1)}" for each in CONFIG)
    how = f"LANGUAGE plpgsql {'STABLE ' if r.stable else ''}SECURITY DEFINER {settings}"
    return ddl.create_function(f"{qualified(r.name)}({given})", r.returns, how, r.body)


def setting(name: str) -> str:
    """SQL for a setting of the transaction; NULL where it is not set."""
    return f"nullif(current_setting({literal(name)}, true), '')"


def scope(t: Trail) -> dict[str, str]:
    """SQL for the columns that the transaction's settings give, by column."""

    def cast(column: str, text: str) -> str:
        type_ = t.type(column)
        return text if type_ == "text" else f"({text})::{type_}"

    return {
        "tenant_id": _session_tenant(t),
        "actor_id": cast("actor_id", setting(ACTOR)),
        "ip_address": cast("ip_address", setting(ADDRESS)),
    }


def _session_tenant(t: Trail) -> str:
    """The session's tenant, in the type of the trail's column."""
    found, type_ = context.default(t.c), t.type("tenant_id")
    return found if type_ == t.c.type else f"({found})::{type_}"


def insert(t: Trail, values: dict[str, str], then: str = "") -> str:
    """An INSERT of one event."""
    columns, given = ", ".join(quote(c) for c in values), ", ".join(values.values())
    return f"INSERT INTO {qualified(t.name)} ({columns})\n  VALUES ({given}){then}"


def insert_from(t: Trail, values: dict[str, str], source: str) -> str:
    """An INSERT of an event for each row of ``source``, a FROM with what follows; one event where it is empty."""
    columns, given = ", ".join(quote(c) for c in values), ", ".join(values.values())
    return f"INSERT INTO {qualified(t.name)} ({columns})\n    SELECT {given}\n    {source}".rstrip()


# Writing


def refuse(condition: str, message: str, hint: str, *shown: str, code: str = "22023") -> str:
    """An IF that raises; ``shown`` fill the percent signs of the message, ``code`` is its SQLSTATE."""
    parts = ", ".join([literal(message), *shown])
    return (
        f"  IF {condition} THEN\n"
        f"    RAISE EXCEPTION {parts} USING ERRCODE = {literal(code)}, HINT = {literal(hint)};\n"
        "  END IF;\n"
    )


def _checks(t: Trail) -> Iterator[str]:
    kept = f"^({'|'.join(w.rstrip('.') for w in RESERVED)})\\."
    yield refuse(
        f"action IS NULL OR action !~ {literal(ACTION)} OR length(action) > {ACTION_LENGTH}",
        "event %: this is no action", "Write lower-case words joined by dots, such as skill.create.",
        "coalesce(quote_literal(left(action, 120)), 'NULL')",
    )  # fmt: skip
    yield refuse(
        f"action ~ {literal(kept)} AND NOT pg_has_role(session_user, {literal(t.spec.owner)}, 'MEMBER')",
        "event %: actions that begin so are kept for the trail itself",
        "Begin the action with another word.", "action",
    )  # fmt: skip
    if t.spec.actions:
        declared = ", ".join(literal(a) for a in sorted(set(t.spec.actions)))
        yield refuse(
            f"action <> ALL (ARRAY[{declared}]) AND action !~ {literal(kept)}",
            "event %: the action is not declared",
            "Correct it, or add it to [audit] actions and apply the plan.", "action",
        )  # fmt: skip
    outcomes = ", ".join(literal(o) for o in OUTCOMES)
    yield refuse(
        f"outcome IS NULL OR outcome NOT IN ({outcomes})", "event %: % is no outcome",
        f"Say {', '.join(OUTCOMES[:-1])} or {OUTCOMES[-1]}.", "action", "coalesce(quote_literal(outcome), 'NULL')",
    )  # fmt: skip
    yield refuse(
        "resource_id IS NOT NULL AND resource_type IS NULL", "event %: a resource_id without a resource_type",
        "Give both.", "action",
    )  # fmt: skip
    yield from _json_checks()


def _json_checks() -> Iterator[str]:
    kinds = {"metadata": "object", "targets": "array", "context": "object", "personal": "object"}
    for name, kind in kinds.items():
        yield refuse(
            f"jsonb_typeof({name}) <> '{kind}'", f"event %: {name} is no JSON {kind}", f"Give a JSON {kind}.", "action"
        )  # fmt: skip
        yield refuse(
            f"octet_length({name}::text) > {MOST_BYTES}", f"event %: {name} has more than {MOST_BYTES} bytes",
            "Keep the document elsewhere and record its name.", "action",
        )  # fmt: skip
    yield refuse(
        "(personal IS NULL) <> (subject IS NULL) OR subject = ''", "event %: personal data needs the person it is about",
        "Give personal and subject, or neither.", "action",
    )  # fmt: skip


def log(t: Trail) -> Routine:
    """``log(action, …)``: one event of the transaction's tenant, actor and request; returns its id."""
    given = (
        "action",
        "resource_type",
        "resource_id",
        "outcome",
        "metadata",
        "targets",
        "actor_type",
        "impersonator_id",
    )
    values = {**scope(t), **{name: _fitting(t, name) for name in given}, "context": "context"}
    kept = {"event": "event::text", "tenant_id": scope(t)["tenant_id"], "subject": "subject", "salt": "salt",
            "body": "personal"}  # fmt: skip
    columns, filled = ", ".join(quote(c) for c in kept), ", ".join(kept.values())
    body = (
        f"\nDECLARE\n  event {t.type('id')};\n  salt bytea;\nBEGIN\n"
        + "".join(_checks(t))
        + "  IF personal IS NOT NULL THEN\n"
        "    salt := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());\n"
        "    context := coalesce(context, '{}') || jsonb_build_object('personal',\n"
        "      'sha256:' || encode(sha256(salt || convert_to(personal::text, 'UTF8')), 'hex'));\n"
        "  END IF;\n"
        f"  {insert(t, values, ' RETURNING id INTO event')};\n"
        "  IF personal IS NOT NULL THEN\n"
        f"    INSERT INTO {qualified(t.at(PERSONAL))} ({columns}) VALUES ({filled});\n"
        "  END IF;\n"
        "  RETURN event;\nEND\n"
    )
    return Routine(
        t.at("log"), _ARGUMENTS, t.type("id"), body, (t.c.spec.roles.app,),
        "Writes one event; who, for whom and when are not the caller's to say.",
    )  # fmt: skip


def _fitting(t: Trail, column: str) -> str:
    type_ = t.type(column)
    return column if type_ in ("text", "jsonb") else f"{column}::{type_}"


# Reading and forgetting


def _own(t: Trail, action: str, tenant: str, actor_type: str, metadata: str) -> str:
    """An event that the trail writes of itself; without an actor in the settings it is the login, where a name fits."""
    actor = scope(t)["actor_id"]
    if t.type("actor_id") == "text":
        actor = f"coalesce({actor}, session_user)"
    values = {**scope(t), "tenant_id": tenant, "actor_id": actor, "actor_type": literal(actor_type)}
    values |= {"action": literal(action), "resource_type": literal(t.name.name), "metadata": metadata}
    return insert(t, values)


def _tenant(t: Trail) -> str:
    return "tenant" if t.type("tenant_id") == "text" else f"tenant::{t.type('tenant_id')}"


def read(t: Trail) -> Routine:
    """``read(tenant, since, until, most)``: the newest events first, and an event that says that they were read."""
    asked = "jsonb_build_object('since', since, 'until', until, 'most', most)"
    body = (
        "\n#variable_conflict use_variable\nBEGIN\n"
        f"  {_own(t, 'audit.read', _tenant(t), 'auditor', asked)};\n"
        f"  RETURN QUERY SELECT e.* FROM {qualified(t.name)} AS e\n"
        f"    WHERE (tenant IS NULL OR e.tenant_id = {_tenant(t)}) AND e.created_at >= since AND e.created_at < until\n"
        "    ORDER BY e.created_at DESC, e.seq DESC LIMIT most;\nEND\n"
    )
    arguments = (
        ("tenant", "text", "NULL"), ("since", "timestamp with time zone", "'-infinity'"),
        ("until", "timestamp with time zone", "'infinity'"), ("most", "integer", "1000"),
    )  # fmt: skip
    return Routine(
        t.at("read"), arguments, f"SETOF {qualified(t.name)}", body, (t.spec.reader,),
        "Reads events and records that they were read, by whom and which.",
    )  # fmt: skip


def erase(t: Trail) -> Routine:
    """``erase(subject, tenant)``: the personal data of one person goes, its digests stay; returns how many."""
    count = "jsonb_build_object('erased', erased)"
    body = (
        "\nDECLARE\n  erased bigint;\nBEGIN\n"
        + refuse("subject IS NULL OR subject = ''", "erase: no subject", "Name the person as the events did.")
        + f"  DELETE FROM {qualified(t.at(PERSONAL))} AS p\n"
        f"    WHERE p.subject = erase.subject AND (tenant IS NULL OR p.tenant_id = {_tenant(t)});\n"
        "  GET DIAGNOSTICS erased = ROW_COUNT;\n"
        f"  {_own(t, 'audit.erase', _tenant(t), 'operator', count)};\n"
        "  RETURN erased;\nEND\n"
    )
    arguments = (("subject", "text", ""), ("tenant", "text", "NULL"))
    return Routine(
        t.at("erase"), arguments, "bigint", body, (),
        "Erases the personal data of one person; the events stay, with a digest of what is gone.",
    )  # fmt: skip


def personal(t: Trail) -> Iterator[Change]:
    """The side table: personal data of events, each under a digest that its event keeps."""
    name = t.at(PERSONAL)
    if name in t.c.catalog.by_name:
        return
    index = quote(f"{PERSONAL}_subject_idx")
    own = Policy(OWN_POLICY, True, "all", (t.spec.owner,), "true", "true")
    seen = Policy(READ_POLICY, True, "select", (t.spec.reader,), "true", None)
    yield Change(
        id=f"harden.{display(name)}", phase=Phase.HARDEN, object=display(name),
        why="Personal data of events, to be erased when somebody asks; the events themselves never change.",
        apply=(
            ddl.create_table(name, [
                "event text PRIMARY KEY", f"tenant_id {t.c.type}", "subject text NOT NULL", "salt bytea NOT NULL",
                "body jsonb NOT NULL", "created_at timestamp with time zone NOT NULL DEFAULT now()",
            ]),
            f"CREATE INDEX {index} ON {qualified(name)} USING btree (subject)",
            *(ddl.create_policy(name, p) for p in (own, seen)),
            ddl.row_security(name, "ENABLE"), ddl.row_security(name, "FORCE"),
            ddl.own(name, t.spec.owner), ddl.grant("TABLE", qualified(name), ["SELECT"], t.spec.reader),
        ),
        verify=verify.query(verify.row_security(name), verify.owned(name, t.spec.owner)),
        revert=(ddl.drop_table(name),), destructive=True,
    )  # fmt: skip
