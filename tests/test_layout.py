"""The import ranks: a module imports only lower ranks, and the pure ones touch no clock, chance or server."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tenantry

# A name is a module or a package folder of `tenantry`. One that is missing here fails: give it its rank.
RANKS = {
    "__init__": 0,
    "bugs": 0,
    "collector": 0,
    "counts": 0,
    "errors": 0,
    "mistakes": 0,
    "names": 0,
    "tomltext": 0,
    "waiver": 0,
    "catalog": 1,
    "finding": 1,
    "plan": 1,
    "progress": 1,
    "runtime": 1,
    "trial": 1,
    "spec": 1,
    "conversion": 2,
    "ddl": 2,
    "estimate": 2,
    "verify": 2,
    "evidence": 3,
    "steps": 3,
    "planner": 4,
    "render": 4,
    "report": 4,
    "embedded": 5,
    "init": 5,
    "introspect": 5,
    "journal": 5,
    "session": 5,
    "throttle": 6,
    "keys": 6,
    "filling": 7,
    "apply": 8,
    "alembic": 6,
    "attacks": 6,
    "observe": 6,
    "preflight": 6,
    "audit": 6,
    "checks": 6,
    "revert": 6,
    "tenants": 6,
    "controls": 7,
    "prove": 7,
    "status": 7,
    "tampering": 7,
    "workload": 7,
    "cutover": 8,
    "demo": 9,
    "rehearsal": 9,
    "world": 9,
    "mutations": 10,
    "pytest": 10,
    "cli": 11,  # above demo and world, of which verbs are made
}
ONLY = {"runtime": {"errors"}}  # applications load it: it must not bring the converter along
HIGHEST_PURE_RANK = 4
COMPOSERS = {"ddl", "names"}  # the pure modules that may use psycopg.sql, to quote and to compose
IMPURE_MODULES = {"asyncpg", "psycopg", "random", "secrets", "socket", "sqlalchemy", "time", "uuid"}
CLOCK_READS = {"now", "today", "utcnow"}
SOURCE = Path(tenantry.__file__).parent


def modules() -> Iterator[tuple[str, str]]:
    """Every module of the package as its dotted name below `tenantry` and its source."""
    for path in sorted(SOURCE.rglob("*.py")):
        yield ".".join(path.relative_to(SOURCE).with_suffix("").parts), path.read_text()


def imports(module: str, tree: ast.AST) -> Iterator[str]:
    """The absolute dotted name of everything that a module imports, at any depth of its code."""
    package = ["tenantry", *module.split(".")[:-1]]
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(module=source, names=aliases, level=level):
                base = package[: len(package) - level + 1] if level else []
                yield from (".".join([*base, *filter(None, [source]), alias.name]) for alias in aliases)


def rank_violations(module: str, source: str) -> list[str]:
    """What a module imports against the ranks, one sentence each."""
    own = module.split(".")[0]
    if own not in RANKS:
        return [f"{module} has no rank"]
    return [
        f"{module} (rank {RANKS[own]}) imports {name}: {reason}"
        for name in imports(module, ast.parse(source))
        if name.startswith("tenantry.") and (reason := _refused(own, name.split(".")[1]))
    ]


def _refused(own: str, other: str) -> str:
    if other == own or other == "__version__":
        return ""
    if other not in RANKS:
        return "it has no rank"
    if own in ONLY and other not in ONLY[own]:
        return f"it may import only {', '.join(sorted(ONLY[own]))}"
    return "" if RANKS[other] < RANKS[own] else f"rank {RANKS[other]} is not lower"


def purity_violations(module: str, source: str) -> list[str]:
    """What a pure module imports or calls that makes its result depend on more than its arguments."""
    own = module.split(".")[0]
    if own == "runtime" or RANKS.get(own, 9) > HIGHEST_PURE_RANK:  # no rank: a violation elsewhere
        return []
    tree = ast.parse(source)
    allowed = ("psycopg.sql",) if own in COMPOSERS else ()
    found = [
        f"{module} imports {name}"
        for name in imports(module, tree)
        if name.split(".")[0] in IMPURE_MODULES and ".".join(name.split(".")[:2]) not in allowed
    ]
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    reads = (call.attr for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCK_READS)
    return found + [f"{module} reads the clock: {read}()" for read in reads]


def test_modules_import_only_lower_ranks() -> None:
    found = [violation for module, source in modules() for violation in rank_violations(module, source)]
    assert found == []


def test_pure_modules_are_pure() -> None:
    found = [violation for module, source in modules() for violation in purity_violations(module, source)]
    assert found == []


def test_every_module_is_looked_at() -> None:
    names = [module for module, _ in modules()]
    assert "__init__" in names
    assert "embedded" in names


@pytest.mark.parametrize(
    ("module", "source", "words"),
    [
        ("spec", "import tenantry.planner", "spec (rank 1) imports tenantry.planner: rank 4 is not lower"),
        ("spec", "from tenantry import planner", "imports tenantry.planner: rank 4 is not lower"),
        ("spec", "from . import planner", "imports tenantry.planner: rank 4 is not lower"),
        ("spec", "import tenantry.catalog", "rank 1 is not lower"),
        ("spec", "def late():\n    from .plan import Plan", "imports tenantry.plan.Plan: rank 1 is not"),
        ("steps.columns", "from .. import planner", "imports tenantry.planner: rank 4 is not lower"),
        ("steps.columns", "from ..render.sql import header", "rank 4 is not lower"),
        ("steps.__init__", "from ..apply import run", "rank 8 is not lower"),
        ("apply", "from tenantry.demo import run", "rank 9 is not lower"),
        ("runtime.asgi", "from tenantry.names import fit", "it may import only errors"),
        ("runtime.asgi", "from tenantry.spec import Spec", "it may import only errors"),
        ("planner", "from tenantry.novel import thing", "imports tenantry.novel.thing: it has no rank"),
        ("novel", "", "novel has no rank"),
        ("novel.part", "", "novel.part has no rank"),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str, words: str) -> None:
    (found,) = rank_violations(module, source)
    assert words in found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("planner", "from tenantry.spec import Spec\nfrom tenantry import plan, steps\nimport json"),
        ("steps.columns", "from tenantry.steps._shared import x\nfrom . import _shared\nfrom .. import ddl"),
        ("runtime.asgi", "from tenantry.errors import NoTenant\nfrom .scope import tenant"),
        ("cli.demo", "from tenantry.demo import demo\nfrom tenantry import __version__"),
    ],
)
def test_an_import_of_a_lower_rank_or_the_own_folder_is_allowed(module: str, source: str) -> None:
    assert rank_violations(module, source) == []


@pytest.mark.parametrize(
    ("module", "source", "words"),
    [
        ("planner", "import psycopg", "planner imports psycopg"),
        ("planner", "from psycopg import sql", "planner imports psycopg.sql"),
        ("ddl", "from psycopg import connect", "ddl imports psycopg.connect"),
        ("ddl", "import psycopg", "ddl imports psycopg"),
        ("names", "from uuid import uuid4", "names imports uuid.uuid4"),
        ("steps.columns", "import random", "steps.columns imports random"),
        ("render.sql", "from time import time", "render.sql imports time.time"),
        ("plan", "from datetime import UTC, datetime\nat = datetime.now(UTC)", "plan reads the clock: now()"),
        ("plan", "import datetime\nat = datetime.date.today()", "plan reads the clock: today()"),
    ],
)
def test_an_impurity_is_found(module: str, source: str, words: str) -> None:
    assert purity_violations(module, source) == [words]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ddl", "from psycopg import sql\nfrom psycopg.sql import SQL\nimport psycopg.sql"),
        ("apply", "import psycopg, time"),
        ("runtime.psycopg", "import psycopg"),
        ("plan", "from datetime import datetime\ndef stamp(now: datetime):\n    return now.isoformat()"),
    ],
)
def test_what_is_no_impurity_is_left_alone(module: str, source: str) -> None:
    assert purity_violations(module, source) == []
