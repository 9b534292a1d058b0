"""Observe mode: what row level security would have filtered or refused, as far as it was recorded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg

from tenantry import session

_QUERY = """
SELECT relation, statement, role, application, sum(times)::bigint, min(seen_at), max(seen_at)
FROM tenantry.observations
GROUP BY relation, statement, role, application
ORDER BY max(seen_at) DESC, relation, statement, role, application
"""
_PRESENT = "SELECT pg_catalog.to_regclass('tenantry.observations') IS NOT NULL"
_WATCHED = """
SELECT n.nspname || '.' || c.relname
FROM pg_catalog.pg_policy p
JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE p.polname = 'observe' AND p.polpermissive
ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Observation:
    """One statement on one table that a policy would have filtered or refused.

    Constants in ``statement`` are ``?``. ``times`` is a lower bound.
    """

    relation: str
    statement: str
    role: str
    application: str
    times: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Unseen:
    """A login, view or SECURITY DEFINER function of ``owner``, a superuser or a role with BYPASSRLS."""

    kind: Literal["login", "view", "function"]
    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything recorded, newest first; ``watched`` are the tables in observe mode now.

    ``unseen`` is what runs with the rights of a role that no policy binds: it is never recorded.
    """

    observations: tuple[Observation, ...]
    watched: tuple[str, ...]
    unseen: tuple[Unseen, ...] = ()


def observe(dsn: str) -> Observed:
    """Read what was recorded. Raises CatalogError when the server cannot be reached."""
    with session.connect(dsn, "tenantry observe") as conn:
        watched = tuple(str(name) for (name,) in conn.execute(_WATCHED))
        unseen = (
            tuple(Unseen(*row) for row in conn.execute(session.load("observe_unseen"))) if watched else ()
        )
        if conn.execute(_PRESENT).fetchone() != (True,):
            return Observed((), watched, unseen)
        try:
            rows = conn.execute(_QUERY).fetchall()
        except psycopg.errors.InsufficientPrivilege as error:
            raise session.failure("observe", "", _QUERY, error) from error
    return Observed(tuple(Observation(*row) for row in rows), watched, unseen)


def to_json(found: Observed) -> str:
    """The report for programs."""
    document: dict[str, Any] = {"version": 1, "watched": list(found.watched)}
    document["observations"] = [asdict(o) for o in found.observations]
    document["unseen"] = [asdict(u) for u in found.unseen]
    return json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"


def to_text(found: Observed) -> str:
    """The report for people."""
    lines: list[str] = []
    if not found.watched:
        lines.append("No table is in observe mode, so nothing is being recorded.")
    else:
        lines.append(f"{len(found.watched)} tables are in observe mode: {_some(found.watched)}")
    if not found.observations:
        lines.append(
            "Nothing was recorded: no statement was seen that row level security would have filtered."
        )
    for o in found.observations:
        lines.append(f"\n{o.relation}  {o.times}x  {o.role} ({o.application or 'no application name'})")
        lines.append(f"  first {o.first_seen:%Y-%m-%d %H:%M:%S}, last {o.last_seen:%Y-%m-%d %H:%M:%S}")
        lines.append(f"  {' '.join(o.statement.split())}")
    for kind, what in _KINDS.items():
        names = [u.name for u in found.unseen if u.kind == kind]
        if names:
            lines.append(
                f"Not seen: {what} {_some(names)}, since no policy binds the role whose rights they have."
            )
    return "\n".join(lines) + "\n"


_KINDS = {
    "login": "what is done by",
    "view": "reads through",
    "function": "what is done in SECURITY DEFINER",
}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
