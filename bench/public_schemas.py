"""Do public schemas convert, hold and come back? One line per schema.

Reads the schemas NAME.sql in the directory that TENANTRY_SCHEMAS names, for which a decided spec is in
`bench/public_schemas/`; without them nothing is measured. Each is loaded on an embedded server, inspected,
planned, applied, planned again, attacked and reverted, and compared with what it was. Ends with 1 when one of
them is not as promised. `--json FILE` writes the results.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tenantry import embedded, introspect, planner, spec
from tenantry.apply import apply
from tenantry.catalog import Catalog
from tenantry.errors import TenantryError
from tenantry.finding import NO_ROWS, Proof
from tenantry.prove import prove
from tenantry.report import inspection
from tenantry.revert import revert
from tenantry.spec import Spec

SPECS = Path(__file__).with_suffix("")
SECOND = ("second", "Second", "second")
T = TypeVar("T")


@dataclass(slots=True)
class Result:
    """What came of one schema. ``refusal`` is the error that ended it; ``unanswered`` are reasons with counts."""

    schema: str
    server: str = ""
    tables: int = 0
    rows: int = 0
    steps: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    pending: int = 0
    attacks: int = 0
    held: int = 0
    breached: list[str] = field(default_factory=list)
    unanswered: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    same_catalog: bool = False
    same_rows: bool = False
    refusal: str = ""

    @property
    def kept(self) -> bool:
        """Whether everything that was promised came true; an attack without an answer is no promise."""
        good = self.same_catalog and self.same_rows
        return good and not (self.refusal or self.pending or self.breached or self.findings)


def load(cluster: embedded.Cluster, file: Path) -> str:
    """Load a schema into a database of its name; returns the DSN."""
    with psycopg.connect(cluster.dsn, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(file.stem)))
    dsn = make_conninfo(cluster.dsn, dbname=file.stem)
    psql = [str(cluster.binaries / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-f", str(file)]
    done = subprocess.run(psql, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{file}: psql could not load it: {done.stderr.strip()}")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("ANALYZE")
    return dsn


def read(dsn: str) -> Catalog:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return introspect.read(conn)


def contents(dsn: str, catalog: Catalog) -> dict[str, Any]:
    """Rows, and a checksum over all their columns, of each table."""
    found = {}
    with psycopg.connect(dsn, autocommit=True) as conn:
        for table in (t for t in catalog.tables if t.kind == "table"):
            query = sql.SQL("SELECT count(*), sum(hashtextextended(to_jsonb(t)::text, 0)) FROM ONLY {} t")
            row = conn.execute(query.format(sql.Identifier(*table.qname))).fetchone()
            found[".".join(table.qname)] = row
    return found


def second_tenant(dsn: str, declared: Spec) -> None:
    """One more tenant without rows, so that the attacks have an attacker; it must go before the revert."""
    table, key = declared.tenancy.tenants, declared.tenancy.key
    query = sql.SQL("INSERT INTO {} ({}, name, slug) VALUES (%s, %s, %s)")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(query.format(sql.Identifier(*table), sql.Identifier(key)), SECOND)


def no_second_tenant(dsn: str, declared: Spec) -> None:
    table, key = declared.tenancy.tenants, declared.tenancy.key
    query = sql.SQL("DELETE FROM {} WHERE {} = %s")
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(query.format(sql.Identifier(*table), sql.Identifier(key)), SECOND[:1])


def measure(cluster: embedded.Cluster, file: Path, spec_file: Path) -> Result:
    """Everything that is asked of one schema. What Tenantry refuses is a result, not an error."""
    result = Result(file.stem)
    dsn = load(cluster, file)
    before = read(dsn)
    rows = contents(dsn, before)
    version = before.server.version
    result.server = f"PostgreSQL {version // 10000}.{version % 10000}"
    result.tables = len(before.tables)
    result.rows = sum(row[0] for row in rows.values())
    try:
        convert(dsn, spec.load(spec_file), result)
    except TenantryError as error:
        result.refusal = str(error)
    after = read(dsn)
    result.same_catalog = after.digest == before.digest
    result.same_rows = contents(dsn, after) == rows
    return result


def convert(dsn: str, declared: Spec, result: Result) -> None:
    def timed(name: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        value = work()
        result.seconds[name] = round(time.perf_counter() - start, 2)
        return value

    catalog = timed("inspect", lambda: read(dsn))
    inspection.inspect(catalog, declared.tenancy.schemas)
    plan = timed("plan", lambda: planner.plan(declared, catalog, "online"))
    result.steps = len(plan.steps)
    timed("apply", lambda: apply(dsn, plan))
    result.pending = len(planner.plan(declared, read(dsn), "online").steps)
    second_tenant(dsn, declared)
    tell(result, timed("prove", lambda: prove(dsn, declared, now=datetime.now(UTC))))
    no_second_tenant(dsn, declared)
    timed("revert", lambda: revert(dsn))


def tell(result: Result, proof: Proof) -> None:
    result.attacks = len(proof.outcomes)
    result.held = sum(o.status == "held" and o.control_fired for o in proof.outcomes)
    result.breached = [
        f"{o.attack} on {o.object}: {o.detail}" for o in proof.outcomes if o.status == "breached"
    ]
    other = (o.detail for o in proof.outcomes if o.status in ("error", "skipped"))
    result.unanswered = dict(Counter(other))
    result.findings = [f"{f.check} on {f.object}: {f.message}" for f in proof.findings if f.level == "error"]


def line(result: Result) -> str:
    empty = result.unanswered.get(NO_ROWS, 0)
    rest = sum(result.unanswered.values()) - empty
    took = sum(result.seconds.get(name, 0.0) for name in ("plan", "apply"))
    back = "equal" if result.same_catalog and result.same_rows else "DIFFERENT"
    cells = (
        result.schema, result.tables, result.rows, result.steps, f"{took:.1f}",
        "empty" if not result.pending else f"{result.pending} steps",
        f"{result.held} of {result.attacks}", empty, rest, back,
    )  # fmt: skip
    return " | ".join(str(cell) for cell in cells)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    directory = os.environ.get("TENANTRY_SCHEMAS")
    files = [Path(directory, f"{s.stem}.sql") for s in sorted(SPECS.glob("*.toml"))] if directory else []
    files = [file for file in files if file.is_file()]
    if not files:
        print("nothing measured: TENANTRY_SCHEMAS names no directory with one of these schemas: "
              + ", ".join(f"{s.stem}.sql" for s in sorted(SPECS.glob("*.toml"))))  # fmt: skip
        return 0
    with embedded.cluster(embedded.embedded_binaries()) as cluster:
        results = [measure(cluster, file, SPECS / f"{file.stem}.toml") for file in files]
    print(results[0].server)
    print(
        "schema | tables | rows | steps | plan and apply, s | second plan | held | empty | no answer | reverted"
    )
    for result in results:
        print(line(result))
        for sentence in (result.refusal, *result.breached, *result.findings):
            print(f"  {sentence}" if sentence else "", end="\n" if sentence else "")
        for reason, count in result.unanswered.items():
            if reason != NO_ROWS:
                print(f"  {count} without an answer: {reason}")
    if options.json:
        text = json.dumps(
            {"version": 1, "results": [asdict(r) for r in results]}, indent=1, ensure_ascii=False
        )
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0 if all(result.kept for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
