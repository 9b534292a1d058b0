"""How many sabotages does each tool notice: Tenantry's checks, its proof, pgrls, and the lints of Supabase's splinter?

Every sabotage of one database of the self-test is applied to a copy of its own. A tool has noticed it when it says
anything there that it does not say of the database without it. We wrote the sabotages, and the tools are run as they come,
with no configuration but the schema and the role. pgrls is a program beside this one (`pip install 'tenantry[judges]'`);
splinter is not installed by a package: `--splinter DIR` is a checkout, or a bare clone, of github.com/supabase/splinter.
What is not there is said not to be measured. `--json FILE` writes the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from tenantry import checks, embedded, mutations
from tenantry.mutations import suite, trials, worlds
from tenantry.mutations.scratch import Scratch, restore
from tenantry.mutations.worlds import World
from tenantry.names import quote
from tenantry.trial import Mutation

# A setting of the transaction pretends these: no other session sees them.
PRETENDED = ("pretended_version", "pretended_prepared")
GROUPS = {
    "1": "roles", "2": "tables that are not covered", "3": "policies", "4": "keys and constraints",
    "5": "views, functions, triggers", "6": "privileges, publications", "7": "settings, event triggers",
    "8": "the audit trail", "9": "indexes",
}  # fmt: skip
Found = set[str]
Tool = Callable[[World, str], Found]


def checked(world: World, database: str) -> Found:
    with contextlib.closing(world.scratch.connect(database)) as conn:
        review = checks.examine(conn, world.request, now=worlds.now())
    return {f.fingerprint for f in review.findings}


def attacked(world: World, database: str) -> Found:
    return trials.breaches(worlds.attack(world, database))


def linted(world: World, database: str) -> Found:
    """What pgrls says, as rule and object."""
    program = shutil.which("pgrls", path=str(Path(sys.executable).parent)) or shutil.which("pgrls")
    assert program is not None
    command = [
        program,
        "lint",
        "--format",
        "json",
        "--schemas",
        "public",
        "--database-url",
        world.scratch.dsn_of(database),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        record = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"pgrls ended with {done.returncode}: {done.stderr.strip()}") from None
    found = record if isinstance(record, list) else record.get("violations", record.get("findings", []))
    return {
        f"{f.get('rule_id') or f.get('rule')} {f.get('location') or f.get('object')} {f.get('message')}"
        for f in found
    }


def splinter(lints: Mapping[str, str], failed: Found) -> Tool:
    """The lints of a checkout. Those that need a Supabase project, and fail here, go into ``failed``."""

    def found(world: World, database: str) -> Found:
        said: Found = set()
        with contextlib.closing(world.scratch.connect(database)) as conn:
            conn.execute("SET pgrst.db_schemas = 'public'")
            for name, query in lints.items():
                try:
                    cursor = conn.execute(query.encode())
                except psycopg.Error:
                    failed.add(name)
                    continue
                names = [c.name for c in cursor.description or ()]
                said |= {str(row[names.index("cache_key")]) for row in cursor}
        return said

    return found


def read_lints(folder: Path) -> tuple[dict[str, str], str]:
    """The queries by name, and the commit."""
    git = ["git", "-C", str(folder)]
    commit = subprocess.run(
        [*git, "log", "-1", "--format=%h of %cs"], capture_output=True, text=True, check=True
    )
    listed = subprocess.run(
        [*git, "ls-tree", "-r", "--name-only", "HEAD", "lints/"], capture_output=True, text=True, check=True
    )
    lints = {}
    for name in listed.stdout.split():
        text = subprocess.run(
            [*git, "show", f"HEAD:{name}"], capture_output=True, text=True, check=True
        ).stdout
        query = (
            re.sub(r"(?is)^.*?create view \S+ as\s", "", text, count=1)
            .replace("\\`", "`")
            .rstrip()
            .rstrip(";")
        )
        lints[Path(name).stem] = query
    return lints, commit.stdout.strip()


def group(mutation: Mutation) -> str:
    ids = {c.slug: c.id for c in checks.all_checks()}
    return GROUPS[ids[mutation.finds[0]][0]] if mutation.finds else "of the attacks"


def applied(world: World, template: str, statements: Sequence[str]) -> str:
    """A copy with the sabotage in it. What belongs to the database itself is not copied, and is said again."""
    database = world.scratch.database(template=template)
    again = [s for s in worlds.hardening()["always"] if "{database}" in s and template != world.database]
    with contextlib.closing(world.scratch.connect(database)) as conn:
        for statement in [*again, *statements]:
            conn.execute(world.fill(statement, database).encode())
    return database


def taken_back(world: World, database: str | None) -> None:
    """The database goes, and what a sabotage did to the whole server."""
    conn = world.scratch.conn
    if database is not None:
        with contextlib.closing(world.scratch.connect(database)) as there:
            for (name,) in there.execute("SELECT subname FROM pg_subscription").fetchall():
                there.execute(f"ALTER SUBSCRIPTION {quote(name)} DISABLE".encode())
                there.execute(f"ALTER SUBSCRIPTION {quote(name)} SET (slot_name = NONE)".encode())
                there.execute(f"DROP SUBSCRIPTION {quote(name)}".encode())
        world.scratch.drop(database)
    conn.execute("ALTER ROLE ALL RESET ALL")
    names = {name for (name,) in conn.execute("SELECT rolname::text FROM pg_roles")}
    mine = world.request.roles[0]
    if mine not in names and "sabotage" in names:
        conn.execute(f"ALTER ROLE sabotage RENAME TO {quote(mine)}".encode())
    for (name,) in conn.execute("SELECT parname FROM pg_parameter_acl").fetchall():
        conn.execute(f"REVOKE ALL ON PARAMETER {name} FROM {quote(mine)}".encode())
    if "sabotage_support" in names:
        conn.execute("DROP ROLE sabotage_support")
    restore(world.scratch, world.roles)


def measure(room: Scratch, name: str, tools: Mapping[str, Tool]) -> Iterator[dict[str, Any]]:
    """Each sabotage, and which tools noticed it."""
    with worlds.make(room, name) as world:
        shut = world.conn.info.dbname
        world.conn.close()  # nobody may be connected to what is copied
        room.conn.execute("CREATE ROLE anon NOLOGIN; CREATE ROLE authenticated NOLOGIN")
        room.conn.execute(f"GRANT {quote(world.request.roles[0])} TO authenticated".encode())
        whole = applied(world, shut, ())
        before = {tool: run(world, whole) for tool, run in tools.items()}
        taken_back(world, whole)
        calm = trials.breaches(world.outcomes)
        todo = [m for m in suite.of(name) if m.sql and not any(w in s for s in m.sql for w in PRETENDED)]
        for number, mutation in enumerate(todo, 1):
            if room.conn.info.server_version < mutation.since * 10_000 or not world.knows(mutation.sql):
                continue
            print(f"\r{number} of {len(todo)}", end="", file=sys.stderr, flush=True)
            noticed: dict[str, bool] = {}
            database = None
            try:
                database = applied(world, shut, mutation.sql)
                for tool, run in tools.items():
                    noticed[tool] = bool(run(world, database) - before[tool])
            finally:
                taken_back(world, database)
            noticed["prove"] = noticed["check"] or bool(_breached(world, mutation) - calm)
            yield {"mutation": mutation.name, "group": group(mutation), **noticed}
        print(file=sys.stderr)
        room.conn.execute("DROP ROLE anon, authenticated")


def _breached(world: World, mutation: Mutation) -> Found:
    """Attacks are made where nothing is shut, as in the self-test."""
    database = None
    try:
        database = applied(world, world.database, mutation.sql)
        return attacked(world, database)
    finally:
        taken_back(world, database)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--world", default="notes", choices=mutations.NAMES[:4])
    options.add_argument("--splinter", type=Path, help="a clone of github.com/supabase/splinter")
    options.add_argument("--json", type=Path, help="write the figures there")
    given = options.parse_args()
    tools: dict[str, Tool] = {"check": checked}
    failed: Found = set()
    versions = {
        "check": "this version",
        "prove": "this version",
        "pgrls": "not measured",
        "splinter": "not measured",
    }
    if program := shutil.which("pgrls", path=str(Path(sys.executable).parent)):
        tools["pgrls"] = linted
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        versions["pgrls"] = said.stdout.split()[-1]
    if given.splinter is not None:
        lints, versions["splinter"] = read_lints(given.splinter)
        tools["splinter"] = splinter(lints, failed)
    settings = {"fsync": "off", "jit": "off"}
    with (
        embedded.cluster(embedded.embedded_binaries(), settings=settings) as cluster,
        mutations.scratch(cluster.dsn) as room,
    ):
        server = room.conn.info.server_version
        rows = list(measure(room, given.world, tools))
    if failed:
        versions["splinter"] += f" ({len(failed)} of its {len(lints)} lints could not run here)"
    report(rows, versions, given.world, server)
    if given.json is not None:
        record = {
            "when": datetime.now(UTC).date().isoformat(),
            "world": given.world,
            "server": server,
            "versions": versions,
            "rows": rows,
        }
        given.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def report(rows: list[dict[str, Any]], versions: Mapping[str, str], world: str, server: int) -> None:
    """The table as it stands in the documentation."""
    print(
        f"{world}, PostgreSQL {server // 10_000}.{server % 10_000}; "
        + "; ".join(f"{t} {v}" for t, v in versions.items())
    )
    print(f"| sabotages of | tried | {' | '.join(versions)} |")
    print("|---|---|" + "---|" * len(versions))
    groups = [g for g in (*GROUPS.values(), "of the attacks") if any(r["group"] == g for r in rows)]
    for name in (*groups, "all"):
        mine = [r for r in rows if name in (r["group"], "all")]
        cells = [str(sum(r[t] for r in mine)) if t in mine[0] else "–" for t in versions]
        print(f"| {name} | {len(mine)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
