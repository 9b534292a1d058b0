"""How long does `prove --lab` take for 300 tables, stage by stage, beside `pg_dump --schema-only` of the same database?

The source and the lab are embedded servers on one machine; the source is not converted, so that the lab converts.
Prints seconds and their ratio to pg_dump; `--json FILE` writes them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from tenantry import embedded
from tenantry.spec import Spec
from tenantry.world.proof import prove_in_lab

BASELINE = "pg_dump --schema-only"
STAGES = ("copy", "convert", "make two tenants", "attack")


def build(dsn: str, tables: int) -> Spec:
    """Tables of twenty columns in a tree of foreign keys, each with a unique key and a check; and their spec."""
    types = ("text", "int", "timestamptz", "jsonb", "numeric(12,2)", "boolean", "uuid", "date", "varchar(40)")
    extra = ", ".join(f"c{n} {types[n % len(types)]}" for n in range(16))
    rules: dict[str, Any] = {}
    with psycopg.connect(dsn, autocommit=True) as conn:
        for n in range(tables):
            parent = f", parent bigint NOT NULL REFERENCES t{(n - 1) // 4}" if n else ""
            conn.execute(
                f"CREATE TABLE t{n} (id bigserial PRIMARY KEY, slug text NOT NULL CONSTRAINT t{n}_slug UNIQUE, "
                f"status text NOT NULL CHECK (status IN ('draft', 'done')), {extra}{parent})".encode()
            )
            rules[f"t{n}"] = {
                "scope": "tenant", "backfill": {"constant": "first"}, "primary_key": "global",
                "unique": {f"t{n}_slug": "tenant"},
            }  # fmt: skip
    default = {"id": "first", "name": "First", "slug": "first"}
    return Spec.model_validate({"tenancy": {"default": default}, "tables": rules})


def measure(cluster: embedded.Cluster, tables: int) -> dict[str, Any]:
    spec = build(cluster.dsn, tables)
    dump = [str(cluster.binaries / "pg_dump"), "--schema-only", "-d", cluster.dsn]
    start = time.perf_counter()
    subprocess.run(dump, check=True, stdout=subprocess.DEVNULL)
    baseline = time.perf_counter() - start
    stamps = list[float]()
    proof = prove_in_lab(
        cluster.dsn, spec, now=datetime.now(UTC), say=lambda _: stamps.append(time.perf_counter())
    )
    stamps.append(time.perf_counter())
    seconds = {BASELINE: baseline} | {stage: stamps[n + 1] - stamps[n] for n, stage in enumerate(STAGES)}
    return {
        "tables": tables,
        "proven": proof.proven,
        "statements": sum(o.tries for o in proof.outcomes),
        "baseline": BASELINE,
        "seconds": seconds,
        "ratios": {name: value / baseline for name, value in seconds.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with embedded.cluster(embedded.embedded_binaries()) as cluster:
        result = measure(cluster, options.tables)
    print(f"{result['tables']} tables, {result['statements']} statements, proven {result['proven']}")
    print(f"{'':24}{'seconds':>10}{'ratio to ' + BASELINE:>34}")
    for name, value in result["seconds"].items():
        print(f"{name:24}{value:10.2f}{result['ratios'][name]:34.1f}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
