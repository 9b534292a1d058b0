"""What does it cost that the tenant is signed, or that its absence raises, beside the plain setting?

Three copies of one database, converted with each form of the policy; the same transactions through the scoped connections
of psycopg, of one statement and of five. Processor time of the server process, and of server and client together. Then
the first of these over a network that takes 2 ms there and back, by the clock: a signed value is one more trip. Linux
only. Prints medians of the ratios in the same round and the middle half of them; `--json FILE` writes them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import _arms
import _catalog
import psycopg
from psycopg.conninfo import make_conninfo

from tenantry import embedded, introspect, keys, planner, spec
from tenantry.apply import apply
from tenantry.runtime import Binding, Signer, tenant
from tenantry.runtime.psycopg import Connection
from tenantry.spec import Spec

SETTINGS = {
    "shared_buffers": "512MB",
    "autovacuum": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
}
PLAIN, RAISING, SIGNED = "plain", "raise", "signed"
FORMS = {PLAIN: "", RAISING: 'missing = "raise"', SIGNED: 'context = "signed"'}
SPEC = f"""
[tenancy]
{{form}}
[roles]
app = "{_catalog.APP}"
[tables.skills]
scope = "tenant"
primary_key = "global"
[tables.ratings]
scope = "tenant"
primary_key = "global"
"""
# Each takes one number, by which its executions differ; the last one is how many times fewer it is done.
QUERIES = {
    "row by key": ("SELECT body FROM skills WHERE id = %(own)s", 1),
    "list of 20": ("SELECT slug FROM skills ORDER BY created_at DESC LIMIT 20", 1),
    "join of 20": (
        "SELECT s.slug, r.stars FROM skills s JOIN ratings r ON r.skill_id = s.id ORDER BY s.created_at DESC LIMIT 20",
        2,
    ),
    "count of a category": ("SELECT count(*) FROM skills WHERE category = 'c' || %(n)s::text", 4),
    "count by join": ("SELECT count(*) FROM ratings r JOIN skills s ON s.id = r.skill_id WHERE s.category = 'c1'", 40),
    "scan of every row": ("SELECT count(*) FROM skills WHERE body LIKE '%%part99%%'", 40),
    "insert": ("INSERT INTO ratings (skill_id, stars) VALUES (%(own)s, 3)", 1),
}  # fmt: skip


def make(dsn: str, rows: int) -> dict[str, tuple[str, Spec]]:
    """A database for each form, and the spec that it is converted by."""
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("CREATE DATABASE base TEMPLATE template0")
        with psycopg.connect(make_conninfo(dsn, dbname="base"), autocommit=True) as conn:
            _catalog.make(conn, rows)
        found = {}
        for form, line in FORMS.items():
            admin.execute(f'CREATE DATABASE "{form}" TEMPLATE base'.encode())
            declared, own = spec.parse(SPEC.format(form=line)), make_conninfo(dsn, dbname=form)
            with psycopg.connect(own, autocommit=True) as conn:
                plan = planner.plan(declared, introspect.read(conn), "online")
            apply(own, plan)
            with psycopg.connect(own, autocommit=True) as conn:
                conn.execute("VACUUM ANALYZE")
            found[form] = own, declared
    return found


def connection(dsn: str, key: str | None) -> Connection[Any]:
    class Bound(Connection[Any]):
        binding = Binding(signer=Signer(key) if key else None)

    return Bound.connect(dsn, user=_catalog.APP, prepare_threshold=0)


def arm(conn: Connection[Any], query: str, who: str, own: list[int], statements: int) -> _arms.Arm:
    """Transactions of so many statements."""
    text, numbers = query.encode(), itertools.count()

    def run(times: int) -> None:
        for n in itertools.islice(numbers, times):
            with tenant(who), conn.transaction():
                for m in range(statements):
                    conn.execute(text, {"n": (n + m) % 20, "own": own[(n + m) * 31 % len(own)]})

    return _arms.Arm(run, conn.info.backend_pid)


def ids(dsn: str, who: str) -> list[int]:
    with psycopg.connect(dsn) as admin:
        rows = admin.execute("SELECT id FROM skills WHERE tenant_id = %s ORDER BY id LIMIT 1000", [who])
        return [id for (id,) in rows.fetchall()]


def cost(made: dict[str, tuple[str, Spec]], key: str, rounds: int, times: int) -> dict[str, Any]:
    """Print and return the ratios by query, tenant and number of statements."""
    found: dict[str, Any] = {}
    print(f"{'':34}{'plain, µs':>10}    {'raise, server':22}{'signed, server':22}{'signed, both':22}")
    for (name, (query, fewer)), who, statements in itertools.product(
        QUERIES.items(), ("large", "s1"), (1, 5)
    ):
        with ExitStack() as stack:
            arms = {}
            for form, (dsn, _) in made.items():
                conn = stack.enter_context(connection(dsn, key if form == SIGNED else None))
                arms[form] = arm(conn, query, who, ids(dsn, who), statements)
            _arms.pin(a.pid for a in arms.values())
            measured = _arms.measure(arms, rounds, max(2, times // fewer // statements))
        server, both = _arms.of_server(measured), _arms.of_both(measured)
        ratios = {
            RAISING: _arms.ratio(server, RAISING, PLAIN),
            SIGNED: _arms.ratio(server, SIGNED, PLAIN),
            f"{SIGNED}, both": _arms.ratio(both, SIGNED, PLAIN),
        }
        micros = statistics.median(server[PLAIN])
        label = f"{name}, {who}, {statements} a transaction"
        found[label] = {"micros": micros} | _arms.as_json(ratios)
        print(
            f"{name:20}{who:6}{'× ' + str(statements):8}{micros:10.0f}    "
            + "".join(f"{r!s:22}" for r in ratios.values())
        )
    return found


def network(cluster: embedded.Cluster, key: str, rounds: int, times: int) -> dict[str, Any]:
    """Print and return the ratio of one row by key, where each trip takes 2 ms."""
    socket = str(next(Path(cluster.dsn.partition("host=")[2].partition("&")[0]).glob(".s.PGSQL.*[0-9]")))
    with _arms.far(socket, 0.002) as port, ExitStack() as stack:
        arms = {}
        for form in (PLAIN, SIGNED):
            near = make_conninfo(cluster.dsn, dbname=form)
            far = make_conninfo(near, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable")
            conn = stack.enter_context(connection(far, key if form == SIGNED else None))
            arms[form] = arm(conn, QUERIES["row by key"][0], "s1", ids(near, "s1"), 1)
        taken = _arms.clock(arms, rounds, times)
    ratio = _arms.ratio(taken, SIGNED, PLAIN)
    micros = statistics.median(taken[PLAIN])
    print(f"\n2 ms there and back, one row by key: plain {micros:.0f} µs, signed {ratio}")
    return {"micros": micros} | _arms.as_json({SIGNED: ratio})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=60_000, help="skills; a third are the large tenant's")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--times", type=int, default=100, help="statements in a turn")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as cluster:
        made = make(cluster.dsn, options.rows)
        key = keys.new(*made[SIGNED])
        document = {
            "rows": options.rows,
            "rounds": options.rounds,
            "cost": cost(made, key, options.rounds, options.times),
            "network": network(cluster, key, 5, 30),
        }
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
