"""Writing events from Python: within the caller's transaction, or outside of it, so that what fails is told too.

Who acts, for which tenant and in which request comes from the tenant scope: adapters bind each transaction to it,
and an event outside of the transaction is bound to the scope of the running code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypedDict, Unpack

import psycopg
from psycopg.rows import tuple_row

from tenantry.errors import EventError
from tenantry.names import quote
from tenantry.runtime import binding, scope
from tenantry.runtime.signing import Signer
from tenantry.spec import ACTION, ACTION_LENGTH
from tenantry.steps.events import OUTCOMES
from tenantry.steps.trailfunctions import MOST_BYTES

_JSON: Mapping[str, type[Mapping[str, Any]] | type[Sequence[Any]]] = {
    "metadata": Mapping, "targets": Sequence, "context": Mapping, "personal": Mapping,
}  # fmt: skip
_REFUSED = {"22023", "22P02", "23514"}
_ABSENT = {"3F000", "42883", "42501"}


class Details(TypedDict, total=False):
    """What an event may say beside its action.

    ``resource`` is a kind and an id; ``targets`` what else was touched; ``metadata`` and ``context`` JSON objects of
    what happened and of the circumstances. ``personal`` is what may have to be erased one day, and ``subject`` whose
    it is.
    """

    resource: tuple[str, object] | None
    outcome: str
    metadata: Mapping[str, Any] | None
    targets: Sequence[Any] | None
    context: Mapping[str, Any] | None
    actor_type: str | None
    impersonator_id: str | None
    personal: Mapping[str, Any] | None
    subject: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """An event as ``log()`` takes it, in the order of its arguments; JSON as text."""

    action: str
    resource_type: str | None
    resource_id: str | None
    outcome: str
    metadata: str | None
    targets: str | None
    context: str | None
    actor_type: str | None
    impersonator_id: str | None
    personal: str | None
    subject: str | None


@dataclass(frozen=True, slots=True)
class Trail:
    """Where events go: the schema of the trail's functions, the setting that holds the tenant, and who signs it."""

    functions: str = "audit"
    setting: str = binding.SETTING
    signer: Signer | None = None


_TRAIL = Trail()


def event(action: str, **details: Unpack[Details]) -> Event:
    """An event, looked at. Raises EventError: which event, what is wrong with it, what to give."""
    if not re.fullmatch(ACTION, action) or len(action) > ACTION_LENGTH:
        raise EventError(
            f"event {action!r}: this is no action; write lower-case words joined by dots, such as skill.create"
        )
    outcome = details.get("outcome", OUTCOMES[0])
    if outcome not in OUTCOMES:
        raise EventError(f"event {action}: {outcome!r} is no outcome; say {', '.join(OUTCOMES)}")
    if (details.get("personal") is None) != (not details.get("subject")):
        raise EventError(
            f"event {action}: personal data needs the person it is about; give personal and subject"
        )
    kind, id_ = details.get("resource") or (None, None)
    texts = {name: _json(action, name, details.get(name)) for name in _JSON}
    return Event(
        action, kind, None if id_ is None else str(id_), outcome, texts["metadata"], texts["targets"],
        texts["context"], details.get("actor_type"), details.get("impersonator_id"), texts["personal"],
        details.get("subject"),
    )  # fmt: skip


def _json(action: str, name: str, value: object) -> str | None:
    if value is None:
        return None
    wanted = _JSON[name]
    if not isinstance(value, wanted) or isinstance(value, str | bytes):
        words = "an object" if wanted is Mapping else "an array"
        raise EventError(f"event {action}: {name} is {type(value).__name__} and must be {words}; change it")
    try:
        text = json.dumps(
            dict(value) if isinstance(value, Mapping) else list(value), ensure_ascii=False, allow_nan=False
        )
    except (TypeError, ValueError) as error:
        raise EventError(f"event {action}: {name} is no JSON ({error}); give text instead") from None
    if "\\u0000" in text:
        raise EventError(f"event {action}: {name} holds a zero character, which jsonb cannot; remove it")
    if len(text.encode()) > MOST_BYTES:
        raise EventError(
            f"event {action}: {name} has more than {MOST_BYTES} bytes; keep the document elsewhere and record its name"
        )
    return text


def record(
    conn: Any, action: str, /, *, outside: bool = False, trail: Trail = _TRAIL, **details: Unpack[Details]
) -> str:
    """Write an event; returns its id.

    ``conn`` is psycopg's connection, or a connection or session of SQLAlchemy. Within its transaction the event is
    there exactly if the work is. ``outside``: on a connection of its own, with the same parameters, and committed at
    once; the transaction may have failed, and may be rolled back. Then ``conn`` must be psycopg's.
    Raises EventError for an event that the trail does not take.
    """
    made = event(action, **details)
    try:
        if outside:
            with psycopg.connect(**_parameters(conn, action)) as own:
                for statement, parameters in _opening(action, trail):
                    own.execute(statement, parameters)
                return _one(own.execute(_query(trail), _values(made), prepare=False).fetchone())
        if (session := _sqlalchemy(conn)) is not None:
            return str(session.execute(_named(trail), asdict(made)).scalar_one())
        with conn.cursor(row_factory=tuple_row) as cursor:
            return _one(cursor.execute(_query(trail), _values(made)).fetchone())
    except Exception as error:
        if (refused := _refusal(made, trail, error)) is not None:
            raise refused from error
        raise


async def record_async(
    conn: Any, action: str, /, *, outside: bool = False, trail: Trail = _TRAIL, **details: Unpack[Details]
) -> str:
    """As :func:`record`, for asynchronous connections of psycopg and sessions of SQLAlchemy."""
    made = event(action, **details)
    try:
        if outside:
            parameters = _parameters(conn, action)
            async with await psycopg.AsyncConnection.connect(**parameters) as own:
                for statement, parameters_ in _opening(action, trail):
                    await own.execute(statement, parameters_)
                row = await (await own.execute(_query(trail), _values(made), prepare=False)).fetchone()
                return _one(row)
        if (session := _sqlalchemy(conn)) is not None:
            return str((await session.execute(_named(trail), asdict(made))).scalar_one())
        async with conn.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_query(trail), _values(made))
            return _one(await cursor.fetchone())
    except Exception as error:
        if (refused := _refusal(made, trail, error)) is not None:
            raise refused from error
        raise


# Statements

_CASTS = dict.fromkeys(_JSON, "jsonb")


def _query(trail: Trail) -> bytes:
    function = quote(trail.functions, "log").replace("%", "%%")
    places = ", ".join(f"%s::{_CASTS.get(name, 'text')}" for name in Event.__slots__)
    return f"SELECT {function}({places})".encode()


def _values(made: Event) -> list[str | None]:
    return list(asdict(made).values())


def _named(trail: Trail) -> Any:
    """The same for SQLAlchemy, which names its parameters."""
    from sqlalchemy import text

    function = quote(trail.functions, "log").replace(":", "\\:")
    places = ", ".join(f"CAST(:{name} AS {_CASTS.get(name, 'text')})" for name in Event.__slots__)
    return text(f"SELECT {function}({places})")


def _one(row: Any) -> str:
    return str(row[0])


def _sqlalchemy(conn: Any) -> Any:
    """The object itself where it is SQLAlchemy's."""
    modules = {kind.__module__.partition(".")[0] for kind in type(conn).__mro__}
    return conn if "sqlalchemy" in modules else None


# A connection of its own


def _parameters(conn: Any, action: str) -> dict[str, Any]:
    if not isinstance(conn, psycopg.Connection | psycopg.AsyncConnection):
        raise EventError(
            f"event {action}: outside of the transaction needs psycopg's connection, not {type(conn).__name__}; "
            "give one, or write the event in a session of its own"
        )
    return {**conn.info.get_parameters(), "password": conn.info.password}


def _opening(action: str, trail: Trail) -> Iterator[tuple[bytes, tuple[str, ...] | None]]:
    """What binds the own transaction to the scope of now; the transaction begins by itself."""
    if scope.current_or_none() is None:
        raise EventError(
            f"event {action}: outside of the transaction it needs a tenant scope to say who acts for whom; "
            "put it under `with tenant(id):`, or under `with no_tenant():`"
        )
    state = binding.State(binding.Binding(trail.setting, signer=trail.signer))
    yield "; ".join(state.opening(None, fixed_plans=lambda: False)).encode(), None
    if (entry := state.entry()) is not None:
        yield entry[0].replace("%", "%%").replace("$1", "%s").encode(), (entry[1],)


def _refusal(made: Event, trail: Trail, error: Exception) -> EventError | None:
    """What the database said, where it is about the event."""
    cause = getattr(error, "orig", error)  # SQLAlchemy's errors have the driver's own within
    if not isinstance(cause, psycopg.Error):
        return None
    said = cause.diag.message_primary or str(cause).strip()
    if cause.sqlstate in _REFUSED:
        return EventError(f"{said}; {cause.diag.message_hint or 'correct it'}")
    if cause.sqlstate in _ABSENT and cause.diag.message_hint:  # of what checks the tenant
        return EventError(f"event {made.action}: {said}; {cause.diag.message_hint}")
    if cause.sqlstate in _ABSENT:
        return EventError(
            f"event {made.action}: {trail.functions}.log() cannot be called ({said}); "
            'set [audit] events = "extended", apply the plan, and connect as the application'
        )
    return None
