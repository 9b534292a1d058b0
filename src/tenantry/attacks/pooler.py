"""Getting the tenant of the client before, through the application's pooler."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg

from tenantry.attacks.lab import UNSET, Lab, Result
from tenantry.attacks.reach import Reach
from tenantry.attacks.verdict import Control, Try, judge
from tenantry.errors import CatalogError
from tenantry.finding import Outcome
from tenantry.names import literal
from tenantry.session import Conn, connect

NAME = "pooler"
WHY = "A pooler hands a session with its tenant to the next client."
WRITES = True
SABOTAGE = ()  # its settings are not in the database: the self-test starts poolers of both kinds
REPAIR = ()

_CLIENTS = 20  # until one of them gets the server process of the first
_PID = "SELECT pg_catalog.pg_backend_pid()"


def run(lab: Lab, reach: Reach) -> Iterator[Outcome]:
    """One client sets a tenant for its session and leaves; the next ones ask whether they have it. No pooler: no outcome."""
    if not lab.claims.claims:  # a tenancy of which nothing could be recognised
        return
    setting = lab.claims.claims[0].setting
    mark = literal(next(iter(lab.settings(lab.ghost).values())))
    name = literal(setting)
    yield from handed_on(
        lab,
        NAME,
        leave=f"SELECT pg_catalog.set_config({name}, {mark}, false)",
        ask=f"SELECT nullif(pg_catalog.current_setting({name}, true), '')",
        clear=f"SELECT pg_catalog.set_config({name}, '', false)",
        told=f"the next client has {setting} = ",
    )


def handed_on(lab: Lab, attack: str, *, leave: str, ask: str, clear: str, told: str) -> Iterator[Outcome]:
    """Whether a client finds what the one before it left: ``ask`` then answers something. No pooler: no outcome."""
    dsn = lab.how.pooler_dsn
    if dsn is None:
        return
    try:
        found = _next(dsn, leave, ask, clear)
    except (psycopg.Error, CatalogError) as error:
        said = str(error).splitlines()[0]
        yield Outcome(attack, "pooler", "error", detail=f"could not look: {said}")
        return
    if found is None:
        none = Result(message=f"none of {_CLIENTS} clients got the server process of the first")
        yield judge(lab, attack, "pooler", [Try(UNSET, ask, none, "unclear")], Control(none, False))
        return
    value, number = found
    reached = value is not None
    answer = Result(int(reached), message=f"{told}{value!r}" if reached else "")
    tried = Try(UNSET, ask, answer, "reached" if reached else "refused")
    yield judge(lab, attack, "pooler", [tried] * number, Control(Result(1), True))


def _next(dsn: str, leave: str, ask: str, clear: str) -> tuple[object, int] | None:
    """What the first client on the server process of the one who left something is answered, and which one it is."""
    with contextlib.closing(connect(dsn, "tenantry prove, first client")) as first, first.transaction():
        pid = _one(first, _PID)
        first.execute(leave.encode())
    for number in range(1, _CLIENTS + 1):
        # In one transaction, so that all of it is of the same session.
        with contextlib.closing(connect(dsn, "tenantry prove, next client")) as conn, conn.transaction():
            if _one(conn, _PID) == pid:
                value = _one(conn, ask)
                conn.execute(clear.encode())
                return value, number
    return None


def _one(conn: Conn, query: str) -> object:
    row = conn.execute(query.encode()).fetchone()
    return row[0] if row else None
