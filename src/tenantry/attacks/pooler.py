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
    if lab.how.pooler_dsn is None:
        return
    setting = lab.claims.claims[0].setting
    try:
        yield _tried(lab, lab.how.pooler_dsn, setting)
    except (psycopg.Error, CatalogError) as error:
        yield Outcome(NAME, "pooler", "error", detail=f"could not look: {str(error).splitlines()[0]}")


def _tried(lab: Lab, dsn: str, setting: str) -> Outcome:
    mark = next(iter(lab.settings(lab.ghost).values()))
    shown = f"SELECT pg_catalog.current_setting({literal(setting)}, true)"
    with contextlib.closing(connect(dsn, "tenantry prove, first client")) as first:
        first.execute(f"SELECT pg_catalog.set_config({literal(setting)}, {literal(mark)}, false)".encode())
        pid, _ = _asked(first, shown)
    for number in range(_CLIENTS):
        with contextlib.closing(connect(dsn, "tenantry prove, next client")) as conn:
            got, value = _asked(conn, shown)
            if got == pid:
                if value == mark:
                    conn.execute(f"SELECT pg_catalog.set_config({literal(setting)}, '', false)".encode())
                reached = value not in (None, "")
                told = Result(
                    int(reached), message=f"the next client has {setting} = {value!r}" if reached else ""
                )
                tried = Try(UNSET, shown, told, "reached" if reached else "refused")
                return judge(lab, NAME, "pooler", [tried] * (number + 1), Control(Result(1), True))
    none = Result(message=f"none of {_CLIENTS} clients got the server process of the first")
    return judge(lab, NAME, "pooler", [Try(UNSET, shown, none, "unclear")], Control(none, False))


def _asked(conn: Conn, shown: str) -> tuple[object, object]:
    """The server process and the setting, in one transaction: so they are of the same session."""
    with conn.transaction():
        (pid,) = conn.execute(_PID.encode()).fetchone() or (None,)
        (value,) = conn.execute(shown.encode()).fetchone() or (None,)
    return pid, value
