"""Does search under row level security find what it should, and at what cost beside a WHERE written by hand?

Full text, trigrams and jsonb: by the policy alone, and through a function that searches the session's tenant for a role
whose policy is `true`. Vectors: how many of the ten nearest are found, for tenants of every size, with HNSW's iterative
scan and without, planned for the tenant and for another one. Processor time of the server process; Linux only.
Prints medians of the ratios in the same round and the middle half of them; `--json FILE` writes them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import _arms
import _catalog
import psycopg

from tenantry import embedded, introspect
from tenantry.conversion import reconcile
from tenantry.spec import Spec, parse
from tenantry.steps import searches

SETTINGS = {
    "shared_buffers": "512MB", "autovacuum": "off", "jit": "off", "max_parallel_workers_per_gather": "0",
    "maintenance_work_mem": "512MB", "fsync": "off",
}  # fmt: skip
HAND, POLICY, FUNCTION = "WHERE by hand", "policy", "policy and function"
NEAREST, DIMENSIONS, ASKED = 10, 32, 20
CANDIDATES = 200  # of HNSW; its default of 40 finds 0.83 of these nearest also without any policy
ORDER = "ORDER BY length(body), id LIMIT 20"  # like a rank, no index has it
# The condition, the type of what is searched for and how it is written; the n-th execution looks for something else.
SEARCHES = {
    "full text, rare word": ("search @@ to_tsquery('english', {})", "text", "part{}"),
    "full text, two words": ("search @@ to_tsquery('english', {})", "text", "ledger & part{}"),
    "trigrams": ("body OPERATOR(pg_catalog.~~*) {}", "text", "%part{}%"),
    "jsonb": ("tags @> {}", "jsonb", '{{"level": {}}}'),
}
INDEXES = (
    "CREATE EXTENSION pg_trgm",
    "CREATE INDEX ON skills USING gin (search)",
    "CREATE INDEX ON skills USING gin (body gin_trgm_ops)",
    "CREATE INDEX ON skills USING gin (tags jsonb_path_ops)",
)
VECTORS = (
    "CREATE EXTENSION vector",
    f"CREATE TABLE embeddings (tenant_id text NOT NULL, skill_id int NOT NULL, embedding vector({DIMENSIONS}) NOT NULL)",
    "SELECT setseed(0.5)",
    "INSERT INTO embeddings SELECT tenant_id, id, (SELECT array_agg(random() - 0.5) FROM generate_series(1, {} + id * 0))::vector"
    " FROM skills ORDER BY id",
    "CREATE INDEX ON embeddings USING hnsw (embedding vector_cosine_ops)",
    "CREATE INDEX ON embeddings (tenant_id)",
    f"GRANT SELECT ON embeddings TO {_catalog.EXEMPT}",
    "ANALYZE embeddings",
)


def spec() -> Spec:
    """What a team would write for these searches."""
    roles = f"[roles]\napp = '{_catalog.APP}'\nsearcher = 'searcher'\n"
    tables = "".join(
        f"[tables.{t}]\nscope = 'tenant'\nprimary_key = 'global'\n" for t in ("skills", "ratings")
    )
    return parse(
        roles
        + tables
        + "".join(
            f"[searches.search_{n}]\ntable = 'skills'\narguments = ['value {type_}']\norder = 'length(body)'\n"
            f'match = "{condition.format("value")}"\n'
            for n, (condition, type_, _) in enumerate(SEARCHES.values())
        )
    )


def prepare(admin: psycopg.Connection[Any]) -> None:
    for statement in INDEXES:
        admin.execute(statement.encode())
    conversion, _ = reconcile(spec(), introspect.read(admin), "transactional")
    for step in searches.steps(conversion):
        for statement in step.apply:
            admin.execute(statement.encode())
    for statement in VECTORS:
        admin.execute(statement.format(DIMENSIONS).encode())
    _catalog.protect(admin, "embeddings")


def searched(stack: ExitStack, dsn: str, n: int, who: str) -> dict[str, _arms.Arm]:
    condition, type_, value = list(SEARCHES.values())[n]
    condition = condition.format(f"%(value)s::{type_}")
    select, order = "SELECT id, slug FROM skills WHERE", ORDER

    def arm(role: str, query: str) -> _arms.Arm:
        conn = stack.enter_context(_catalog.session(dsn, role, who))
        numbers = itertools.count()

        def run(times: int) -> None:
            for number in itertools.islice(numbers, times):
                conn.execute(query.encode(), {"value": value.format(number % 300), "tenant": who}).fetchall()

        return _arms.Arm(run, conn.info.backend_pid)

    return {
        HAND: arm(_catalog.EXEMPT, f"{select} tenant_id = %(tenant)s AND {condition} {order}"),
        POLICY: arm(_catalog.APP, f"{select} {condition} {order}"),
        FUNCTION: arm(
            _catalog.APP, f"{select} id = ANY (ARRAY(SELECT search_{n}(%(value)s::{type_}, 20))) {order}"
        ),
    }


def words(dsn: str, rounds: int) -> dict[str, Any]:
    """Print and return the ratios by search, tenant and arm."""
    found: dict[str, Any] = {}
    print(f"{'':24}{'':9}{HAND:>16}    {POLICY:24}{FUNCTION:24}")
    for (n, name), who in itertools.product(enumerate(SEARCHES), ("large", "medium", "s1")):
        with ExitStack() as stack:
            made = searched(stack, dsn, n, who)
            _arms.pin(arm.pid for arm in made.values())
            rounds_of = _arms.of_server(_arms.measure(made, rounds, 5))
        ratios = {arm: _arms.ratio(rounds_of, arm, HAND) for arm in (POLICY, FUNCTION)}
        micros = statistics.median(rounds_of[HAND])
        found[f"{name}, {who}"] = {"micros": micros} | _arms.as_json(ratios)
        print(f"{name:24}{who:9}{micros:13.0f} µs    {ratios[POLICY]!s:24}{ratios[FUNCTION]!s:24}")
    return found


# Vectors

NEAR = "SELECT skill_id FROM embeddings {} ORDER BY embedding <=> %(vector)s::vector LIMIT %(most)s"
RELAXED = "SET hnsw.iterative_scan = relaxed_order"
GENERIC = "SET plan_cache_mode = force_generic_plan"
GUIDE = "and then every row"  # of the tenant, where fewer come than were asked for
# How each way asks, and what its session says before.
WAYS = {
    HAND: (_catalog.EXEMPT, "WHERE tenant_id = %(tenant)s", (RELAXED,)),
    POLICY: (_catalog.APP, "", ()),
    "policy, iterative": (_catalog.APP, "", (RELAXED,)),
    "policy, iterative, WHERE": (_catalog.APP, "WHERE tenant_id = %(tenant)s", (RELAXED,)),
    GUIDE: (_catalog.APP, "WHERE tenant_id = %(tenant)s", (RELAXED,)),
    "planned for the large one": (_catalog.APP, "", (GENERIC,)),
}


def vectors(rows: int) -> list[str]:
    chance = random.Random(rows)
    return [str([chance.uniform(-0.5, 0.5) for _ in range(DIMENSIONS)]) for _ in range(ASKED)]


def nearest(dsn: str, who: str, asked: list[str]) -> list[set[int]]:
    """The truth, by looking at every row of the tenant."""
    with psycopg.connect(dsn) as admin:
        admin.execute("SET LOCAL enable_indexscan = off")
        query = NEAR.format("WHERE tenant_id = %(tenant)s").encode()
        return [
            {id for (id,) in admin.execute(query, {"vector": v, "most": NEAREST, "tenant": who}).fetchall()}
            for v in asked
        ]


class Seeker:
    """A session that asks for what is nearest, and remembers the last answers."""

    def __init__(self, stack: ExitStack, dsn: str, who: str, way: str, asked: list[str]) -> None:
        role, where, settings = WAYS[way]
        self.conn = stack.enter_context(_catalog.session(dsn, role, who))
        self.query, self.who, self.asked = NEAR.format(where).encode(), who, asked
        exact = NEAR.replace("embedding <=> %(vector)s::vector", "(embedding <=> %(vector)s::vector) + 0")
        self.exact = exact.format(where).encode() if way == GUIDE else b""
        self.answers: list[set[int]] = []
        for setting in (f"SET hnsw.ef_search = {CANDIDATES}", *settings):
            self.conn.execute(setting.encode())
        if GENERIC in settings:  # the first execution makes the plan
            self.conn.execute("SET app.current_tenant_id = 'large'")
            self.seek(asked[0])
            self.conn.execute(f"SET app.current_tenant_id = '{who}'".encode())

    def seek(self, vector: str) -> set[int]:
        values = {"vector": vector, "most": NEAREST, "tenant": self.who}
        found = self.conn.execute(self.query, values).fetchall()
        if self.exact and len(found) < NEAREST:
            found = self.conn.execute(self.exact, values).fetchall()
        return {id for (id,) in found}

    def run(self, times: int) -> None:
        self.answers = [self.seek(vector) for vector in self.asked[:times]]


def recall(dsn: str, rows: int, rounds: int) -> dict[str, Any]:
    """Print and return, by tenant and way, how many rows came, which part of the nearest they are, and the cost."""
    asked = vectors(rows)
    found: dict[str, Any] = {}
    print(f"\n{'rows / recall / ratio':34}" + "".join(f"{way:>28}" for way in WAYS))
    for who, size in _catalog.TENANTS.items():
        truth = nearest(dsn, who, asked)
        with ExitStack() as stack:
            seekers = {way: Seeker(stack, dsn, who, way, asked) for way in WAYS}
            made = {way: _arms.Arm(s.run, s.conn.info.backend_pid) for way, s in seekers.items()}
            _arms.pin(arm.pid for arm in made.values())
            rounds_of = _arms.of_server(_arms.measure(made, max(4, rounds // 4), ASKED))
        cells = {way: _cell(s.answers, truth) for way, s in seekers.items()}
        ratios = {way: _arms.ratio(rounds_of, way, HAND) for way in WAYS}
        found[who] = {way: cells[way] | _arms.as_json({"ratio": ratios[way]}) for way in WAYS}
        line = (f"{c['rows']:.1f} / {c['recall']:.2f} / {ratios[way].median:.2f}" for way, c in cells.items())
        print(f"{who + ', ' + size:34}" + "".join(f"{words:>28}" for words in line))
    return found


def _cell(answers: list[set[int]], truth: list[set[int]]) -> dict[str, float]:
    right = sum(len(a & t) for a, t in zip(answers, truth, strict=True))
    return {"rows": sum(map(len, answers)) / len(answers), "recall": right / sum(map(len, truth))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=30_000, help="skills, each with a vector")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with embedded.cluster(embedded.embedded_binaries(), settings=SETTINGS) as cluster:
        with psycopg.connect(cluster.dsn, autocommit=True) as admin:
            _catalog.make(admin, options.rows)
            prepare(admin)
        document = {
            "rows": options.rows,
            "rounds": options.rounds,
            "words": words(cluster.dsn, options.rounds),
            "vectors": recall(cluster.dsn, options.rows, options.rounds),
        }
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
