"""Small plans made by hand on a small database, and runs of them in a process that can be killed."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from tenantry import introspect, session, verify
from tenantry.catalog import Catalog
from tenantry.names import QName
from tenantry.plan import Backfill, Change, Lock, Phase, Plan
from tests.servers import Database

NOTES = QName("public", "notes")
ROWS = 3000  # wide ones, so that a backfill takes several batches

SCHEMA = f"""
CREATE TABLE notes (id int PRIMARY KEY, owner text, body text NOT NULL, touched int NOT NULL DEFAULT 0);
INSERT INTO notes SELECT n, 'acme', repeat('x', 1000) FROM generate_series(1, {ROWS}) AS n;
CREATE TABLE tags (id int PRIMARY KEY, name text UNIQUE);
INSERT INTO tags SELECT n, 'tag ' || n FROM generate_series(1, 20) AS n;
"""


def change(id_: str, *apply: str, verify: str, revert: tuple[str, ...] = (), **fields: Any) -> Change:
    """A step on notes whose why is its id."""
    fields = {"lock": Lock.ACCESS_EXCLUSIVE, "object": "notes"} | fields
    return Change(
        id=id_, phase=Phase.COLUMNS, why=f"Why {id_}.", apply=apply, verify=verify, revert=revert, **fields
    )


def column(name: str = "tenant_id", table: str = "notes") -> Change:
    """Adds a nullable text column."""
    return change(
        f"columns.{table}.{name}",
        f"ALTER TABLE public.{table} ADD COLUMN {name} text",
        verify=verify.query(verify.column(QName("public", table), name)),
        revert=(f"ALTER TABLE public.{table} DROP COLUMN {name}",),
        object=table,
    )


def not_null() -> Change:
    """Makes notes.tenant_id NOT NULL."""
    return change(
        "enforce.notes.tenant_id.not_null",
        "ALTER TABLE public.notes ALTER COLUMN tenant_id SET NOT NULL",
        verify=verify.query(verify.not_null(NOTES, "tenant_id")),
        revert=("ALTER TABLE public.notes ALTER COLUMN tenant_id DROP NOT NULL",),
    )


def index(name: str = "notes_tenant_idx", unique: str = "") -> Change:
    """Builds an index on notes concurrently; ``unique`` names its column instead of the tenant's."""
    what = f"UNIQUE INDEX CONCURRENTLY {name} ON public.notes ({unique})" if unique else ""
    return change(
        f"enforce.{name}",
        f"CREATE {what or f'INDEX CONCURRENTLY {name} ON public.notes (tenant_id)'}",
        verify=verify.query(verify.index(QName("public", name))),
        revert=(f"DROP INDEX public.{name}",),
        cleanup=f"DROP INDEX CONCURRENTLY IF EXISTS public.{name}",
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
        transactional=False,
    )


def tenants() -> Change:
    """Makes the tenants table with its first tenant."""
    return change(
        "tenants.create",
        "CREATE TABLE public.tenants (id text PRIMARY KEY, name text)",
        "INSERT INTO public.tenants VALUES ('acme', '100% :name %s %(x)s ::text')",
        verify=verify.query(verify.relation(QName("public", "tenants"))),
        revert=("DROP TABLE public.tenants",),
        object="tenants",
    )


FORCE = change(
    "isolate.notes",
    "CREATE POLICY tenant_isolation ON public.notes USING (tenant_id = current_setting('app.t', true))",
    "ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE public.notes FORCE ROW LEVEL SECURITY",
    verify=verify.query(verify.row_security(NOTES)),
    revert=(
        "ALTER TABLE public.notes NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE public.notes DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant_isolation ON public.notes",
    ),
)


def backfill(value: str = "a.owner", **fields: Any) -> Backfill:
    """Fills notes.tenant_id and counts in ``touched`` how often each row was filled."""
    assignment = f"SET tenant_id = {value}, touched = touched + 1"
    batch = f"UPDATE ONLY public.notes AS a {assignment.replace('%', '%%')} WHERE a.tenant_id IS NULL"
    standard: dict[str, Any] = {
        "update": f"UPDATE public.notes AS a {assignment} WHERE a.tenant_id IS NULL",
        "batches": ((NOTES, f"{batch} AND a.ctid >= %(first)s::tid AND a.ctid < %(last)s::tid"),),
        "unresolved": f"SELECT count(*) FROM public.notes AS a WHERE {value} IS NULL",
        "foreign_rows": f"SELECT count(*) FROM public.notes AS a WHERE a.tenant_id IS DISTINCT FROM {value}",
        "verify": verify.query(verify.no_nulls(NOTES, "tenant_id")),
    }
    return Backfill(
        id="backfill.notes.tenant_id",
        phase=Phase.BACKFILL,
        object="notes",
        why="Each note belongs to its owner.",
        **(standard | fields),
    )


def plan(db: Database, *steps: Change | Backfill, **fields: Any) -> Plan:
    """A plan of these steps, made for the database as it is now."""
    return Plan(
        spec_digest="spec", catalog_digest=catalog(db).digest, profile="online", steps=steps, **fields
    )


def whole(db: Database) -> Plan:
    """Every kind of step."""
    return plan(db, tenants(), column(), backfill(), not_null(), index())


def catalog(db: Database) -> Catalog:
    with closing(db.connect()) as conn:
        return introspect.read(conn)


def query(db: Database, text: str, **overrides: Any) -> Any:
    """The only value of the only row, None for no row."""
    with closing(db.connect(**overrides)) as conn:
        row = conn.execute(text.encode()).fetchone()
    return row[0] if row else None


def do(db: Database, *statements: str, **overrides: Any) -> None:
    """Run statements, each its own transaction."""
    with closing(db.connect(**overrides)) as conn:
        for statement in statements:
            conn.execute(statement.encode())


def has_column(db: Database, table: str = "notes", name: str = "tenant_id") -> bool:
    return bool(query(db, verify.query(verify.column(QName("public", table), name))))


def has_journal(db: Database) -> bool:
    return bool(query(db, "SELECT to_regnamespace('tenantry') IS NOT NULL"))


def owned_by_a_role(db: Database) -> str:
    """Hand everything to an owner who bypasses no row level security; returns the DSN to connect as him."""
    owner, name = db.role("owner"), psycopg.sql.Identifier(db.name).as_string(None)
    do(
        db,
        f"CREATE ROLE {owner} LOGIN",
        f"GRANT CREATE ON DATABASE {name} TO {owner}",
        f"ALTER SCHEMA public OWNER TO {owner}",
        f"ALTER TABLE notes OWNER TO {owner}",
        f"ALTER TABLE tags OWNER TO {owner}",
    )
    return psycopg.conninfo.make_conninfo(db.dsn, user=owner)


def make_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few tries, soon given up; the timeout stays above the server's deadlock_timeout (1 s)."""
    monkeypatch.setattr(session, "LOCK_TIMEOUT", 1.5)
    monkeypatch.setattr(session, "TRIES", 3)
    monkeypatch.setattr(session, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(session, "JITTER", 0.01)


def states(db: Database) -> dict[str, str]:
    """What the journal says of the steps of its last plan."""
    with closing(db.connect()) as conn:
        rows = conn.execute(
            "SELECT step_id, state FROM tenantry.steps"
            " WHERE plan_id = (SELECT max(id) FROM tenantry.plans) ORDER BY ordinal"
        )
        return dict(rows.fetchall())


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something that must come true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"did not come true in {seconds} s")
        time.sleep(0.02)


def free(db: Database) -> bool:
    """Whether no runner is at the database."""
    with closing(db.connect()) as conn:
        return session.holder(conn) is None


@contextmanager
def holding(db: Database, *statements: str) -> Iterator[psycopg.Connection[Any]]:
    """A session of the application with an open transaction."""
    with closing(db.connect(autocommit=False, application_name="shop")) as conn:
        for statement in statements:
            conn.execute(statement.encode())
        yield conn


_CHILD = """
import sys
from pathlib import Path
from tenantry.apply import apply
from tenantry.plan import Plan
from tenantry.revert import revert

def listen(event):
    print(type(event).__name__, event.step, flush=True)
    if sys.argv[4:] == [type(event).__name__, event.step]:
        sys.stdin.read()  # until its other end is closed

if sys.argv[1] == "apply":
    apply(sys.argv[2], Plan.from_json(Path(sys.argv[3]).read_text()), listen=listen)
else:
    revert(sys.argv[2], listen=listen)
"""


@contextmanager
def child(
    verb: str, db: Database, plan: Plan | None = None, stop_at: tuple[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A run in another process, which says each event on its standard output and halts at ``stop_at``
    until its standard input is closed.

    Killed at the end if it still runs.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(plan.to_json() if plan else "")
        file.flush()
        command = [sys.executable, "-c", _CHILD, verb, db.dsn, file.name, *(stop_at or ())]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


def read_until(process: subprocess.Popen[str], line: str) -> None:
    """Read what a child says up to and with a line."""
    assert process.stdout is not None
    for said in process.stdout:
        if said.strip() == line:
            return
    assert process.stderr is not None
    pytest.fail(f"the child ended before {line!r}: {process.stderr.read()}")
