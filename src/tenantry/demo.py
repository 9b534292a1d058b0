"""The main job in one minute: the skills catalog goes from one customer to two, under load, and is attacked.

Then its audit trail is tampered with.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tenantry import introspect, planner, spec
from tenantry.apply import Applied, apply
from tenantry.errors import CatalogError
from tenantry.finding import Proof
from tenantry.plan import Plan
from tenantry.prove import prove
from tenantry.spec import Spec
from tenantry.tampering import Tampering, tamper
from tenantry.workload import Tally, Workload, make_role

SECOND = ("acme", "Acme", "acme")
_OLD_ROLE = "catalog_web"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Demo:
    """Everything that the demo saw. ``broken`` are promises that did not hold, in words; empty is good."""

    plan: Plan
    applied: Applied
    tally: Tally
    proof: Proof
    trail: Tampering
    broken: tuple[str, ...]


def example() -> Path:
    """The directory of the reference application: beside the sources, or inside the installed package."""
    here = Path(__file__).resolve()
    for path in (
        here.parent / "_examples" / "skills_catalog",
        here.parents[2] / "examples" / "skills_catalog",
    ):
        if (path / "tenantry.toml").is_file():
            return path
    raise CatalogError("demo: the skills catalog is not installed with the package; reinstall tenantry")


def data(path: Path) -> ModuleType:
    """The example's own loader; its files import each other, so its directory is on the path meanwhile."""
    sys.path.insert(0, str(path))
    try:
        return importlib.import_module("data")
    finally:
        sys.path.remove(str(path))


def run(dsn: str, *, scale: float, say: Say) -> Demo:
    """Convert, add a customer, attack, tamper; on an empty database. ``say`` gets a line per stage."""
    path = example()
    declared = spec.load(path / "tenantry.toml")
    default = declared.tenancy.default
    assert default is not None
    with psycopg.connect(dsn, autocommit=True) as conn:
        loader = data(path)
        loader.load_baseline(conn)
        counts: dict[str, int] = loader.generate(conn, scale=scale)
        conn.execute("ANALYZE")
        make_role(conn, _OLD_ROLE)
        say(f"single-tenant   {len(counts)} tables, {sum(counts.values())} rows")
        plan = planner.plan(declared, introspect.read(conn), "online")
        say(f"plan            {len(plan.steps)} steps")
        with Workload(dsn, _OLD_ROLE, declared.tenancy.setting, default.id) as workload:
            time.sleep(0.5)  # so that the first steps meet a busy database
            applied = apply(dsn, plan)
            time.sleep(0.5)
        tally = workload.tally
        say(f"apply           {applied.done} steps in {applied.seconds:.1f} s, meanwhile the application ran "
            f"{tally.transactions} transactions ({len(tally.errors)} errors, longest {tally.longest * 1000:.0f} ms)")  # fmt: skip
        conn.execute("INSERT INTO tenants (id, name, slug) VALUES (%s, %s, %s)", SECOND)
        more: dict[str, int] = loader.generate(conn, scale=scale / 10, tenant=SECOND[0])
        say(f"second tenant   {SECOND[1]}: {sum(more.values())} rows, the same slugs")
        broken = _promises(conn, declared, counts, more, tally)
    app_dsn = make_conninfo(dsn, user=declared.roles.app)
    proof = prove(dsn, declared, app_dsn=app_dsn, mode="full", now=datetime.now(UTC))
    if not proof.proven:
        broken.append("isolation is not proven: see the outcomes")
    trail = tamper(dsn, declared, SECOND[0])
    return Demo(plan, applied, tally, proof, trail, (*broken, *trail.broken()))


def _promises(
    conn: psycopg.Connection[tuple[object, ...]],
    declared: Spec,
    before: dict[str, int],
    more: dict[str, int],
    tally: Tally,
) -> list[str]:
    """What must hold after the conversion, asked of the database."""
    broken = [f"the application met an error: {e}" for e in dict.fromkeys(tally.errors)]
    if not tally.transactions:
        broken.append("the application did nothing while the database was converted")
    if planner.plan(declared, introspect.read(conn), "online"):
        broken.append("planning again is not empty")
    for table, rows in before.items():
        expected = rows + more.get(table, 0) + (len(tally.written) if table == "usage_events" else 0)
        row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        if row is None or row[0] != expected:
            broken.append(f"{table} has {row[0] if row else 'no'} rows and should have {expected}")
    row = conn.execute(
        "SELECT count(*) FROM usage_events WHERE id = ANY(%s::uuid[]) AND tenant_id = %s",
        [tally.written, declared.tenancy.default.id if declared.tenancy.default else ""],
    ).fetchone()
    if row is None or row[0] != len(tally.written):
        broken.append("rows written during the conversion are missing or belong to another tenant")
    return broken
