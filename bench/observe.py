"""What does observe mode cost an application: one that sets its tenant everywhere, and one that never does?

The same queries against copies of one database: as it was, cut over, and in observe mode with and without a
tenant; a session of each, a hundred statements in turn, prepared and not. Measured is processor time, so that it
does not matter what else the machine does: that of the server process, and that of server and client together, which
is what an application waits for where there is no network and no disk. Linux only. Prints the medians and their
ratios; `--json FILE` writes them.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import random
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from _arms import cpu
from psycopg.conninfo import make_conninfo

from tenantry import embedded, introspect, planner, spec
from tenantry.apply import apply
from tenantry.cutover import cutover
from tenantry.observe import observe
from tenantry.plan import Phase

EXAMPLE = Path(__file__).parents[1] / "examples" / "skills_catalog"
SETTINGS = {"shared_buffers": "512MB", "autovacuum": "off"}
ROLE = "catalog_web"
DEFAULT = "default-tenant-000-0000-000000000000"
BASELINE = "cut over"
SKILLS, USERS, RATINGS = 20_000, 5_000, 100_000

QUERIES = {
    "look-up by key": "SELECT name, description FROM skills WHERE id = %(skill)s",
    "list of 20": "SELECT id, rating, comment FROM ratings WHERE user_id = %(user)s ORDER BY created_at LIMIT 20",
    "join of three tables": "SELECT r.rating, u.name, s.name FROM ratings r JOIN users u ON u.id = r.user_id"
    " JOIN skills s ON s.id = r.skill_id WHERE r.skill_id = %(skill)s",
    "whole table": "SELECT count(*), avg(total_uses) FROM skills",
    "insert": "INSERT INTO usage_events (tool_name, skill_id, user_id) VALUES ('bench', %(skill)s, %(user)s)",
    "update by key": "UPDATE skills SET total_uses = total_uses + 1 WHERE id = %(skill)s",
}
SLOW = {"whole table": 50}  # of so many times fewer
DATA = (
    f"INSERT INTO users (id, email, name) SELECT 'u-' || i, 'u' || i || '@example.com', 'User ' || i"
    f" FROM generate_series(1, {USERS}) g (i)",
    f"INSERT INTO skills (id, name, slug, description, category, content, author_id)"
    f" SELECT 's-' || i, 'Skill ' || i, 'skill-' || i, 'What number ' || i || ' is for', 'c' || i % 20,"
    f" repeat('Step by step. ', 15), 'u-' || 1 + i % {USERS} FROM generate_series(1, {SKILLS}) g (i)",
    f"INSERT INTO ratings (id, skill_id, user_id, rating, comment) SELECT 'r-' || i, 's-' || 1 + i % {SKILLS},"
    f" 'u-' || 1 + i * 7 % {USERS}, 1 + i % 5, 'Remark number ' || i FROM generate_series(1, {RATINGS}) g (i)",
)


@dataclass(frozen=True, slots=True)
class State:
    """A copy of the database, and whether the application says its tenant there."""

    database: str
    tenant: bool


@dataclass(frozen=True, slots=True)
class Micros:
    """Microseconds of processor time for one statement."""

    server: float
    both: float


STATES = {
    "before": State("before", tenant=False),
    "cut over": State("cutover", tenant=True),
    "observe, wired": State("observe", tenant=True),
    "observe, unwired": State("observe", tenant=False),
}


def prepare(server: str) -> None:
    """The three databases."""
    sys.path.insert(0, str(EXAMPLE))
    data = importlib.import_module("data")
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("CREATE DATABASE before TEMPLATE template0")
        admin.execute(f"CREATE ROLE {ROLE} LOGIN".encode())
        with psycopg.connect(make_conninfo(server, dbname="before"), autocommit=True) as conn:
            data.load_baseline(conn, vector=False)
            for statement in DATA:
                conn.execute(statement.encode())
            conn.execute(
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {ROLE}".encode()
            )
        admin.execute("CREATE DATABASE observe TEMPLATE before")
        dsn = make_conninfo(server, dbname="observe")
        with psycopg.connect(dsn, autocommit=True) as conn:
            plan = planner.plan(spec.load(EXAMPLE / "tenantry.toml"), introspect.read(conn), "online")
        apply(dsn, plan, until=Phase.OBSERVE)
        # Not the rest of the plan: it drops keys, and their cost is not that of observe mode.
        admin.execute("CREATE DATABASE cutover TEMPLATE observe")
        cutover(make_conninfo(server, dbname="cutover"))
    for database in ("before", "observe", "cutover"):
        with psycopg.connect(make_conninfo(server, dbname=database), autocommit=True) as conn:
            conn.execute("VACUUM ANALYZE")


def run(conn: psycopg.Connection[Any], query: str, *, prepare: bool, times: int, seed: int) -> Micros:
    """A statement on average."""
    rng = random.Random(seed)
    wanted = [
        {"skill": f"s-{rng.randint(1, SKILLS)}", "user": f"u-{rng.randint(1, USERS)}"} for _ in range(times)
    ]
    statement = QUERIES[query].encode()
    server, client = cpu(conn.info.backend_pid), time.thread_time_ns()
    for values in wanted:
        conn.execute(statement, values, prepare=prepare)
    client = time.thread_time_ns() - client
    server = cpu(conn.info.backend_pid) - server
    return Micros(server / times / 1000, (server + client) / times / 1000)


@contextlib.contextmanager
def sessions(server: str) -> Iterator[dict[str, psycopg.Connection[Any]]]:
    """One for each state, named after it."""
    with contextlib.ExitStack() as stack:
        found = {}
        for name, state in STATES.items():
            options = f"-c app.current_tenant_id={DEFAULT}" if state.tenant else ""
            dsn = make_conninfo(
                server, dbname=state.database, user=ROLE, options=options, application_name=name
            )
            found[name] = stack.enter_context(psycopg.connect(dsn, autocommit=True))
        yield found


Found = dict[str, dict[str, list[Micros]]]


def measure(server: str, rounds: int, times: int) -> Found:
    """By query and then by state."""
    found: Found = {}
    with sessions(server) as connections:
        for number in range(rounds + 1):
            print(f"round {number} of {rounds}", file=sys.stderr)
            for query in QUERIES:
                for prepare in (True, False):
                    key = f"{query}, {'prepared' if prepare else 'not prepared'}"
                    states = found.setdefault(key, {name: [] for name in STATES})
                    count = times // SLOW.get(query, 1)
                    for name, conn in connections.items():
                        micros = run(conn, query, prepare=prepare, times=count, seed=number)
                        if number:  # the first one only warms up
                            states[name].append(micros)
    return found


def check(server: str) -> None:
    """Every statement without a tenant was recorded, and none with one."""
    found = observe(make_conninfo(server, dbname="observe")).observations
    seen = {o.statement for o in found if o.application == "observe, unwired"}
    if len(seen) < len(QUERIES) or any(o.application != "observe, unwired" for o in found):
        raise SystemExit(f"not as it should be recorded: {found}")


def table(found: Found, of: str) -> dict[str, dict[str, float]]:
    """Print the medians of the baseline, and of the other states' ratios to it in the same round; returns these."""
    others = [name for name in STATES if name != BASELINE]
    print(f"{'':36}{BASELINE + ', µs':>14}" + "".join(f"{name:>18}" for name in others))
    ratios: dict[str, dict[str, float]] = {}
    for query, states in found.items():
        micros = {name: [getattr(m, of) for m in values] for name, values in states.items()}
        ratios[query] = {
            name: statistics.median(a / b for a, b in zip(micros[name], micros[BASELINE], strict=True))
            for name in others
        }
        base = statistics.median(micros[BASELINE])
        print(f"{query:36}{base:14.1f}" + "".join(f"{r:18.3f}" for r in ratios[query].values()))
    means = {name: statistics.geometric_mean(r[name] for r in ratios.values()) for name in others}
    print(f"{'geometric mean':50}" + "".join(f"{mean:18.3f}" for mean in means.values()))
    return ratios | {"geometric mean": means}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--times", type=int, default=100, help="a query in a turn")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as cluster:
        prepare(cluster.dsn)
        found = measure(cluster.dsn, options.rounds, options.times)
        check(cluster.dsn)
    print(f"{options.rounds} rounds of {options.times}; ratios to {BASELINE!r} in the same round, medians")
    document: dict[str, Any] = {"baseline": BASELINE, "rounds": options.rounds, "times": options.times}
    for of, label in (("server", "server"), ("both", "server and client")):
        print(f"\nprocessor time of {label}")
        document[of] = table(found, of)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
