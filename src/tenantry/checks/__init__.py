"""Static checks: what a database's catalogs say about isolation, without changing or locking anything.

Each check is one query in a file of its own here, whose header says why and what to do. All run in one read-only
transaction and see one state. A check that cannot run is a finding: "could not look" is never "good".
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from tenantry.checks import headers, tenancy, waivers
from tenantry.checks.tenancy import Known, Told, load, rows
from tenantry.errors import CatalogError
from tenantry.finding import LEVELS, Check, Finding, Need, Review
from tenantry.session import LOCK_TIMEOUT, Conn, connect
from tenantry.spec import Spec
from tenantry.steps import work

TIMEOUT = 30  # seconds that one query may take
NOTHING_TRIED = "the application, its pooler and its backups; nothing was tried: `tenantry prove` attacks"
_FAILED = "check-failed"


@dataclass(frozen=True, slots=True)
class Request:
    """What to look at. ``roles`` are who logs in as the application and whose rights it uses; empty: not known.

    Without a ``spec``, ``told`` is a tenancy that was recognised elsewhere; else it is recognised from the policies.

    Without ``schemas`` every schema is looked at that is neither the system's nor Tenantry's own.
    """

    spec: Spec | None = None
    roles: tuple[str, ...] = ()
    schemas: tuple[str, ...] | None = None
    baseline: waivers.Baseline | None = None
    told: Told | None = None


@cache
def all_checks() -> tuple[Check, ...]:
    """Every check, by id. Raises ValueError for a file whose header is not in order."""
    found: dict[str, Check] = {}
    for file in sorted(resources.files("tenantry.checks").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".sql") or file.name.startswith("_"):
            continue
        check = headers.read(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        if check.id in found:
            raise ValueError(f"checks/{file.name}: id {check.id} is taken by {found[check.id].slug}")
        found[check.id] = check
    return tuple(found[id_] for id_ in sorted(found))


def check(dsn: str, request: Request, *, app_dsn: str | None = None, now: datetime) -> Review:
    """Look at the database that ``dsn`` leads to. Any role will do; one that may see less says so.

    The application's role is, in this order: of ``request``, of its own DSN, of the spec. Raises CatalogError
    when the database cannot be reached or read, psycopg.Error when the connection is lost.
    """
    roles = request.roles
    if not roles and app_dsn is not None:
        with contextlib.closing(connect(app_dsn, "tenantry check as the application")) as app:
            roles = _who(app)
    if not roles and request.spec is not None:
        roles = (request.spec.roles.app,)
    with contextlib.closing(connect(dsn, "tenantry check")) as conn:
        review = examine(conn, replace(request, roles=roles), now=now)
    if request.spec is not None:
        review = waivers.apply(review, request.spec.waivers, now.date())
    return waivers.known(review, request.baseline) if request.baseline is not None else review


def _who(conn: Conn) -> tuple[str, ...]:
    row = conn.execute("SELECT session_user, current_user").fetchone()
    return tuple(dict.fromkeys(row)) if row else ()


def examine(conn: psycopg.Connection[Any], request: Request, *, now: datetime) -> Review:
    """All of :func:`check` on a connection, also inside of a transaction, before waivers and baseline."""
    idle = conn.info.transaction_status == TransactionStatus.IDLE
    try:
        with conn.transaction(force_rollback=True), psycopg.Cursor(conn, row_factory=tuple_row) as cursor:
            if idle:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SET LOCAL transaction_read_only = on")
            cursor.execute(f"SET LOCAL statement_timeout = '{TIMEOUT}s'".encode())
            # The text of a policy is only given out where no DDL holds its table.
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}s'".encode())
            cursor.execute("SET LOCAL search_path = ''")
            # The planner knows nothing of what is read from JSON, and would loop where there are many tables.
            cursor.execute("SET LOCAL jit = off")
            cursor.execute("SET LOCAL enable_nestloop = off")
            return _Run(conn, request).review(now)
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        reason = error.diag.message_primary or str(error)
        raise CatalogError(
            f"database {conn.info.dbname}: its catalog cannot be read: {reason}; see to that and check again"
        ) from error


@dataclass(frozen=True, slots=True)
class _Run:
    """One run: what it is asked, and what it could not look at."""

    conn: psycopg.Connection[Any]
    request: Request
    skipped: dict[Need, str] = field(default_factory=dict)

    def review(self, now: datetime) -> Review:
        there = [name for (name,) in rows(self.conn, load("_schemas"))]
        schemas = there if self.request.schemas is None else list(self.request.schemas)
        missing = [name for name in schemas if name not in there]
        if missing:
            raise CatalogError(
                f"schema {missing[0]} is not there, or is the system's; the schemas are {', '.join(there)}"
            )
        known = tenancy.recognise(self.conn, schemas, self.request.spec, self.request.told)
        self._needs(known)
        request = self.request
        parameters = tenancy.parameters(known, request.roles, schemas, request.spec, request.told)
        run = [one for one in all_checks() if self._can(one)]
        findings = [f for one in run for f in self._ask(one, parameters)]
        version = self.conn.info.server_version
        return Review(
            when=now.isoformat(timespec="seconds"),
            server=f"PostgreSQL {version // 10000}.{version % 10000}, database {self.conn.info.dbname}",
            role=" as ".join(self.request.roles),
            tenancy=f"{known.column or 'no column'} = {known.setting or 'no setting'}",
            checks=all_checks(),
            skipped=tuple(one.slug for one in all_checks() if self._fits(one) and one not in run),
            findings=tuple(sorted(findings, key=lambda f: LEVELS.index(f.level))),
            not_looked_at=tuple(self._not_looked_at(known, [n for n in there if n not in schemas])),
        )

    def _needs(self, known: Known) -> None:
        """Which needs cannot be met, and why."""
        roles = self.request.roles
        query = (
            b"SELECT rolname, rolsuper FROM pg_catalog.pg_roles WHERE rolname = ANY ($1::pg_catalog.text[])"
        )
        there: dict[str, bool] = dict(rows(self.conn, query, list(roles)))
        if not roles:
            self.skipped["role"] = self.skipped["app"] = (
                "the application's role is not known; give --app-role"
            )
        elif not there:
            makes = self.request.spec is not None and roles == (self.request.spec.roles.app,)
            why = f"there is no role {' or '.join(roles)}" + ("; `tenantry apply` makes it" if makes else "")
            self.skipped["role"] = self.skipped["app"] = why
        elif any(there.values()):
            self.skipped["app"] = "the application is a superuser, whom no privilege and no policy binds"
        if known.column is None:
            self.skipped["tenancy"] = "no tenant column was recognised; give a spec"
        if known.setting is None:
            self.skipped["setting"] = "no setting was recognised; give a spec"
        if known.trail is None:
            self.skipped["trail"] = tenancy.no_trail(self.request.spec)

    def _can(self, one: Check) -> bool:
        return self._fits(one) and not any(need in self.skipped for need in one.needs)

    def _fits(self, one: Check) -> bool:
        """False for a check about something that this server does not have."""
        return self.conn.info.server_version >= one.since * 10_000

    def _ask(self, one: Check, parameters: str) -> Iterator[Finding]:
        try:
            with self.conn.transaction(force_rollback=True):
                found = rows(self.conn, _whole(one.query), parameters)
        except psycopg.Error as error:
            if error.sqlstate is None or self.conn.closed:
                raise
            said = f"could not look: {error.sqlstate} {error.diag.message_primary or error}"
            yield Finding(_FAILED, "error", one.slug, said, "see to that and check again")
            return
        for name, detail, message in found:
            yield Finding(one.slug, one.level, name, message, one.fix, detail or "")

    def _not_looked_at(self, known: Known, schemas: Sequence[str]) -> Iterator[str]:
        reasons: dict[str, set[Need]] = {}
        for need, why in self.skipped.items():
            reasons.setdefault(why, set()).add(need)
        for why, needs in reasons.items():
            slugs = [one.slug for one in all_checks() if self._fits(one) and needs & {*one.needs}]
            yield f"{why}: {len(slugs)} checks were not run ({', '.join(slugs)})"
        yield from known.unknown
        if schemas:
            yield f"other schemas: {', '.join(schemas)}"
        ignored = tenancy.labels(known, "ignored")
        if ignored:
            yield f"tables that the spec ignores: {', '.join(ignored)}"
        if self.request.roles:
            yield f"other roles than {' and '.join(self.request.roles)}, and what each may become"
        if self.request.spec is not None:
            yield from work.exemption(self.request.spec)
        yield "objects of extensions, the schema of Tenantry itself, and other databases of the server"
        yield NOTHING_TRIED


_PIECE = re.compile(r"^(?:WITH |\), )(\w+) AS \($", re.MULTILINE)


@cache
def _pieces() -> dict[str, str]:
    """The named sub-queries that checks share, in the order in which they may use each other."""
    _, *parts = _PIECE.split(load("_prelude").decode().rstrip().removesuffix(")"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _whole(query: str) -> bytes:
    """A check's query with the shared sub-queries that it uses: the server would read all of them each time."""
    text, used = query, []
    for name, body in reversed(_pieces().items()):
        if name == "param" or re.search(rf"\b{name}\b", text):
            used.append(f"{name} AS ({body})")
            text += body
    shared = ", ".join(reversed(used))
    return (
        f"WITH {shared}\nSELECT object, detail, message FROM (\n{query}\n) AS found ORDER BY 1, 2, 3".encode()
    )
