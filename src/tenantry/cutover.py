"""Cut over: from now on the policies decide. In milliseconds, and back as fast.

All at once the membership of ``tenantry_legacy`` is revoked behind a barrier: every table is locked for an
instant, so that no statement runs half before and half after it; the way back is a GRANT, without a lock on any
table. Table by table the recording policy of that table is dropped, and made again on the way back.

A switch counts once it is proven: the tables are attacked as soon as their policies decide, and one attack that
does not hold, or could not look, takes them back into observe mode. Of a table without rows the plan must hold:
there is nothing in it that could be reached today, and a database in use always has such tables.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import psycopg

from tenantry import ddl, introspect, prove
from tenantry import session as sessions
from tenantry.errors import ApplyError, LockTimeout
from tenantry.finding import NO_ROWS, Outcome
from tenantry.names import QName, display, parse, qualified, quote
from tenantry.spec import Spec
from tenantry.steps.observe import POLICY, ROLE, policy

# Longest wait for all locks together in one try; nothing queues behind the barrier for longer.
BARRIER_MS = 100
# Longest wait for the weak locks before it, which stop nobody.
RESERVE_MS = 3000
TRIES = 100

# Policies of other databases that the same role opens.
_ELSEWHERE = """
SELECT d.datname FROM pg_catalog.pg_shdepend s
JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid AND s.refclassid = 'pg_catalog.pg_authid'::regclass
JOIN pg_catalog.pg_database d ON d.oid = s.dbid
WHERE r.rolname = %s AND d.datname <> pg_catalog.current_database()
GROUP BY 1 ORDER BY 1
"""
_REMEMBER = "CREATE TABLE IF NOT EXISTS tenantry.legacy_members (role text PRIMARY KEY)"
# A superuser may have cut over, and the owner of the journal may go back.
_HAND_OVER = """
SELECT pg_catalog.format('ALTER TABLE tenantry.legacy_members OWNER TO %I', pg_catalog.pg_get_userbyid(nspowner))
FROM pg_catalog.pg_namespace WHERE nspname = 'tenantry'
"""
_REMEMBERED = "SELECT pg_catalog.to_regclass('tenantry.legacy_members') IS NOT NULL"


@dataclass(frozen=True, slots=True)
class CutOver:
    """What was switched: ``tables`` now decided by their policy (or, going back, observed again).

    ``seconds`` is how long the barrier was held, ``tries`` how often it was asked for. ``outcomes`` are the
    attacks on the tables that followed; none without a spec or going back.
    """

    tables: tuple[str, ...]
    seconds: float
    tries: int
    outcomes: tuple[Outcome, ...] = ()

    @property
    def empty(self) -> tuple[str, ...]:
        """Tables that had no rows to attack: their policies were judged by the plan alone."""
        return tuple(dict.fromkeys(o.object for o in self.outcomes if o.detail == NO_ROWS))


def cutover(
    dsn: str,
    spec: Spec | None = None,
    *,
    tables: Sequence[str] = (),
    back: bool = False,
    app_dsn: str | None = None,
) -> CutOver:
    """Let the policies decide, for all tables or for some; with ``back`` let everything through again.

    With a ``spec`` the tables are then attacked as :func:`tenantry.prove.prove` does, through ``app_dsn`` or as
    the spec's application role, and what is not proven goes back. Raises ApplyError when nothing is in observe
    mode, a table is not, it cannot be done here or an attack did not hold; LockTimeout when the locks cannot be had.
    """
    with sessions.connect(dsn, "tenantry cutover") as conn:
        try:
            done = _switch(conn, tables, back)
            return done if spec is None or back else _proven(conn, dsn, spec, app_dsn, tables, done)
        except psycopg.Error as error:
            raise sessions.failure("cutover", "", "", error) from error


def _proven(
    conn: sessions.Conn, dsn: str, spec: Spec, app_dsn: str | None, tables: Sequence[str], done: CutOver
) -> CutOver:
    """The switch with its attacks. Whatever ends them early, Ctrl-C too, takes the tables back."""
    counts = False
    try:
        outcomes = prove.outcomes(dsn, spec, introspect.read(conn), frozenset(done.tables), app_dsn=app_dsn)
        planned = {o.object for o in outcomes if (o.attack, o.status) == ("plan", "held")}
        open_ = [
            o
            for o in outcomes
            if o.status == "breached"
            or (o.status == "error" and not (o.detail == NO_ROWS and o.object in planned))
        ]
        if open_:
            listed = "".join(
                f"\n  {o.status} {o.attack} on {o.object}: {o.detail} {o.sql}".rstrip() for o in open_
            )
            raise ApplyError(
                f"the tables were switched, attacked and taken back into observe mode, because isolation did not hold:{listed}\n"
                "Look at `tenantry prove`, remove the cause, then run `tenantry cutover` again."
            )
        counts = True
        return replace(done, outcomes=outcomes)
    finally:
        if not counts:
            _switch(conn, tables, back=True)


def _switch(conn: sessions.Conn, tables: Sequence[str], back: bool) -> CutOver:
    found = {
        QName(schema, name): watched
        for schema, name, watched in conn.execute(sessions.load("observed_tables"))
    }
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


def _all(conn: sessions.Conn, found: dict[QName, bool]) -> CutOver:
    """Revoke the membership behind a barrier; drop the policies where nobody has it, or not of this database alone."""
    names = [n for n, watched in found.items() if watched]
    members = conn.execute(sessions.load("observed_members"), {"role": ROLE}).fetchall()
    if not names:
        raise ApplyError(
            "nothing to cut over: no table is in observe mode any more; `tenantry apply` finishes"
        )
    if not members and _remembered(conn):
        raise ApplyError(
            "nothing to cut over: it was done, and nobody is exempt any more; "
            "`tenantry apply` finishes, `tenantry cutover --back` undoes it"
        )
    shared = conn.execute(_ELSEWHERE, [ROLE]).fetchone() is not None
    if shared or not members or not all(revocable for _, _, revocable in members):
        return _by_table(conn, names, back=False)
    with conn.transaction():
        conn.execute(_REMEMBER)
        for (statement,) in conn.execute(_HAND_OVER).fetchall():
            conn.execute(statement)
        for member, _, _ in members:
            conn.execute("INSERT INTO tenantry.legacy_members VALUES (%s) ON CONFLICT DO NOTHING", [member])
    revoked = [_revoke(conn, member, grantor) for member, grantor, _ in members]
    return _barrier(conn, names, [*revoked, *_forget(names)], names)


def _revoke(conn: sessions.Conn, member: str, grantor: str) -> str:
    """End an exemption, whoever gave it; a membership that others depend on stays, and gives nothing any more."""
    if conn.info.server_version < 160000:
        return f"REVOKE {quote(ROLE)} FROM {quote(member)}"
    return f"REVOKE INHERIT OPTION FOR {quote(ROLE)} FROM {quote(member)} GRANTED BY {quote(grantor)}"


def _forget(names: Sequence[QName]) -> list[str]:
    """Revokes that change nothing, wait for nobody, and make every session plan its statements on the tables anew.

    PostgreSQL 15 would go on with the plans of prepared statements, made while the other policy held.
    """
    return [f"REVOKE ALL ON TABLE {qualified(name)} FROM {quote(ROLE)}" for name in names]


def _back(conn: sessions.Conn, found: dict[QName, bool]) -> CutOver:
    """Grant the membership again, and give tables that were cut over one by one their policy back."""
    begun = time.monotonic()
    inherit = "" if conn.info.server_version < 160000 else " WITH INHERIT TRUE"
    with conn.transaction():
        for member in _remembered(conn):
            conn.execute(f"GRANT {quote(ROLE)} TO {quote(member)}{inherit}".encode())
        for statement in _forget(list(found)):
            conn.execute(statement.encode())
    seconds = time.monotonic() - begun
    bare = [n for n, watched in found.items() if not watched]
    if bare:
        again = _by_table(conn, bare, back=True)
        return CutOver(tuple(display(n) for n in found), seconds + again.seconds, again.tries)
    return CutOver(tuple(display(n) for n in found), seconds, 1)


def _remembered(conn: sessions.Conn) -> list[str]:
    """The roles that were exempt before the cut-over."""
    if conn.execute(_REMEMBERED).fetchone() != (True,):
        return []
    return [str(r) for (r,) in conn.execute("SELECT role FROM tenantry.legacy_members ORDER BY 1")]


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
        try:
            with conn.transaction():
                # Nobody who reads or writes waits for this one, and an autovacuum gives way to it within a second.
                conn.execute(f"SET LOCAL lock_timeout = '{RESERVE_MS}ms'".encode())
                conn.execute(f"LOCK TABLE {tables} IN SHARE UPDATE EXCLUSIVE MODE".encode())
                begun = time.monotonic()
                # lock_timeout counts for each table anew; this counts for all of them together.
                conn.execute(f"SET LOCAL statement_timeout = '{BARRIER_MS}ms'".encode())
                conn.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE".encode())
                for statement in statements:
                    conn.execute(statement.encode())
            return CutOver(tuple(display(n) for n in told), time.monotonic() - begun, tried)
        except (
            psycopg.errors.QueryCanceled,
            psycopg.errors.LockNotAvailable,
            psycopg.errors.DeadlockDetected,
        ):
            time.sleep(random.uniform(0.02, 0.2))  # noqa: S311 - spreads the tries
        except psycopg.Error as error:
            raise sessions.failure("cutover", "", tables, error) from error
    raise LockTimeout(
        f"the tables could not be locked together in {TRIES} tries of {BARRIER_MS} ms; "
        "look in pg_stat_activity for long transactions, then run `tenantry cutover` again (nothing was switched)"
    )
