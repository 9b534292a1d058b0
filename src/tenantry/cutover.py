"""Cut over: from now on the policies decide. In milliseconds, and back as fast.

All at once the membership of ``tenantry_legacy`` is revoked behind a barrier: every table is locked for an
instant, so that no statement runs half before and half after it; the way back is a GRANT, without a lock on any
table. Table by table the recording policy of that table is dropped, and made again on the way back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from tenantry import ddl
from tenantry import session as sessions
from tenantry.errors import ApplyError, LockTimeout
from tenantry.names import QName, display, parse, qualified, quote
from tenantry.steps.observe import POLICY, ROLE, policy

# Longest wait for all locks together in one try; nothing queues behind the barrier for longer.
BARRIER_MS = 100
TRIES = 100

_TABLES = """
SELECT n.nspname, c.relname,
    EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'observe') AS watched
FROM pg_catalog.pg_policy i
JOIN pg_catalog.pg_class c ON c.oid = i.polrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE i.polname = 'tenant_isolation' AND c.relrowsecurity AND c.relforcerowsecurity
ORDER BY 1, 2
"""
_MEMBERS = """
SELECT m.rolname FROM pg_catalog.pg_auth_members a
JOIN pg_catalog.pg_roles r ON r.oid = a.roleid
JOIN pg_catalog.pg_roles m ON m.oid = a.member
WHERE r.rolname = %s ORDER BY 1
"""
# Policies of other databases that the same role opens.
_ELSEWHERE = """
SELECT d.datname FROM pg_catalog.pg_shdepend s
JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid AND s.refclassid = 'pg_catalog.pg_authid'::regclass
JOIN pg_catalog.pg_database d ON d.oid = s.dbid
WHERE r.rolname = %s AND d.datname <> pg_catalog.current_database()
GROUP BY 1 ORDER BY 1
"""
_REMEMBER = """
CREATE TABLE IF NOT EXISTS tenantry.legacy_members (role text PRIMARY KEY)
"""


@dataclass(frozen=True, slots=True)
class CutOver:
    """What was switched: ``tables`` now decided by their policy (or, going back, observed again).

    ``seconds`` is how long the barrier was held, ``tries`` how often it was asked for.
    """

    tables: tuple[str, ...]
    seconds: float
    tries: int


def cutover(dsn: str, *, tables: Sequence[str] = (), back: bool = False) -> CutOver:
    """Let the policies decide, for all tables or for some; with ``back`` let everything through again.

    Raises ApplyError when nothing is in observe mode, a table is not, or it cannot be done here; LockTimeout
    when the locks cannot be had.
    """
    with sessions.connect(dsn, "tenantry cutover") as conn:
        found = {QName(schema, name): watched for schema, name, watched in conn.execute(_TABLES)}
        chosen = [_known(text, found) for text in tables]
        role = conn.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", [ROLE]).fetchone()
        if role is None:
            raise ApplyError(
                f"role {ROLE} is not there, so no table is in observe mode; "
                "run `tenantry apply --until observe` first (after the whole plan there is no way back but `tenantry revert`)"
            )
        if chosen:
            return _by_table(conn, chosen, back)
        return _back(conn, found) if back else _all(conn, found)


def _known(text: str, found: dict[QName, bool]) -> QName:
    name = parse(text)
    if name not in found:
        raise ApplyError(f"{text}: has no enforced tenant policy; `tenantry status` lists what was applied")
    return name


def _members(conn: sessions.Conn) -> list[str]:
    return [str(name) for (name,) in conn.execute(_MEMBERS, [ROLE])]


def _all(conn: sessions.Conn, found: dict[QName, bool]) -> CutOver:
    """Revoke the membership behind a barrier, or drop the policies where another database shares the role."""
    names = [n for n, watched in found.items() if watched]
    members = _members(conn)
    if not names or not members:
        raise ApplyError("nothing to cut over: no table is in observe mode, or nobody is exempt any more")
    if conn.execute(_ELSEWHERE, [ROLE]).fetchone() is not None:
        return _by_table(conn, names, back=False)
    with conn.transaction():
        conn.execute(_REMEMBER)
        for member in members:
            conn.execute("INSERT INTO tenantry.legacy_members VALUES (%s) ON CONFLICT DO NOTHING", [member])
    return _barrier(conn, names, [f"REVOKE {quote(ROLE)} FROM {quote(m)}" for m in members], names)


def _back(conn: sessions.Conn, found: dict[QName, bool]) -> CutOver:
    """Grant the membership again, and give tables that were cut over one by one their policy back."""
    begun = time.monotonic()
    remembered: list[str] = []
    if conn.execute("SELECT pg_catalog.to_regclass('tenantry.legacy_members') IS NOT NULL").fetchone() == (
        True,
    ):
        remembered = [
            str(r) for (r,) in conn.execute("SELECT role FROM tenantry.legacy_members ORDER BY role")
        ]
    with conn.transaction():
        for member in remembered:
            conn.execute(f"GRANT {quote(ROLE)} TO {quote(member)}".encode())
    seconds = time.monotonic() - begun
    bare = [n for n, watched in found.items() if not watched]
    if bare:
        again = _by_table(conn, bare, back=True)
        return CutOver(tuple(display(n) for n in found), seconds + again.seconds, again.tries)
    return CutOver(tuple(display(n) for n in found), seconds, 1)


def _by_table(conn: sessions.Conn, names: Sequence[QName], back: bool) -> CutOver:
    if back:
        statements = [
            s
            for n in names
            for s in (ddl.drop_policy(n, POLICY, if_exists=True), ddl.create_policy(n, policy(n)))
        ]
    else:
        statements = [ddl.drop_policy(n, POLICY, if_exists=True) for n in names]
    return _barrier(conn, names, statements, names)


def _barrier(
    conn: sessions.Conn, locked: Sequence[QName], statements: Sequence[str], told: Sequence[QName]
) -> CutOver:
    """Lock every table, in one fixed order, run the statements and commit; let go and try again if a lock is slow."""
    tables = ", ".join(qualified(n) for n in sorted(locked))
    for tried in range(1, TRIES + 1):
        begun = time.monotonic()
        try:
            with conn.transaction():
                # lock_timeout counts for each table anew; this counts for all of them together.
                conn.execute(f"SET LOCAL statement_timeout = '{BARRIER_MS}ms'".encode())
                conn.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE".encode())
                for statement in statements:
                    conn.execute(statement.encode())
            return CutOver(tuple(display(n) for n in told), time.monotonic() - begun, tried)
        except (psycopg.errors.QueryCanceled, psycopg.errors.DeadlockDetected):
            time.sleep(random.uniform(0.02, 0.2))  # noqa: S311 - spreads the tries
        except psycopg.Error as error:
            raise sessions.failure("cutover", "", tables, error) from error
    raise LockTimeout(
        f"the tables could not be locked together in {TRIES} tries of {BARRIER_MS} ms; "
        "look in pg_stat_activity for long transactions, then run `tenantry cutover` again (nothing was switched)"
    )
