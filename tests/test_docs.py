"""The documentation says what is so: pages are run, generated pages are complete, names and refusals are listed."""

from __future__ import annotations

import configparser
import contextlib
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

import tenantry
from tenantry import cli, spec
from tenantry.apply import apply
from tenantry.bugs import BUGS
from tenantry.mutations import pgbouncer
from tenantry.plan import Phase
from tests import pages, reference
from tests.servers import MakeDatabase, Server

DOCS = pages.ROOT / "docs"
PAGES = {
    p.relative_to(pages.ROOT).as_posix(): p.read_text(encoding="utf-8") for p in sorted(DOCS.rglob("*.md"))
}
PAGES["README.md"] = (pages.ROOT / "README.md").read_text(encoding="utf-8")
RUN = [name for name, page in PAGES.items() if pages.state(page) is not None]
PROGRAMS = Path(sys.executable).parent
SECOND = ("acme", "Acme", "acme")

sys.path.insert(0, str(DOCS / "_ext"))
generated: Any = importlib.import_module("generated")


def environment(*programs: Path) -> dict[str, str]:
    """What a page's commands see: the tools, and nothing of whoever runs the tests."""
    return {"PATH": os.pathsep.join([*map(str, (PROGRAMS, *programs)), "/usr/local/bin", "/usr/bin", "/bin"])}


def open_bug(version: int) -> str:
    """A bug of the server that breaks isolation, by its CVE; empty where none is known."""
    major, minor = divmod(version, 10_000)
    found = (bug.cve for bug in BUGS if bug.level == "error" and minor < bug.fixed.get(major, 0))
    return next(found, "")


# Pages that are run


@pytest.mark.parametrize("name", [n for n in RUN if pages.state(PAGES[n]) == "nothing"])
@pytest.mark.pg(">=18")  # they bring a server of their own, which is the same on each run
def test_a_page_with_a_server_of_its_own(name: str) -> None:
    assert [str(f) for f in pages.run(PAGES[name], environment())] == []


@pytest.mark.parametrize("name", [n for n in RUN if pages.state(PAGES[n]) not in ("nothing", "unchanged")])
def test_a_page_on_a_prepared_database(name: str, server: Server, make_db: MakeDatabase) -> None:
    if not server.private:
        pytest.skip("NOT TESTED HERE: the pages make roles of fixed names, and this server is not ours alone")
    if "\nPROVEN" in PAGES[name] and (bug := open_bug(server.version)):
        pytest.skip(f"NOT TESTED HERE: nothing is proven on a server with {bug}")
    db, files = make_db(), dict[str, str]()
    if pages.state(PAGES[name]) != "empty":
        reference.load(db)
        files["tenantry.toml"] = (reference.EXAMPLE / "tenantry.toml").read_text(encoding="utf-8")
    if pages.state(PAGES[name]) in ("converted", "pooled"):
        apply(db.dsn, reference.plan(db, "online"))
        with db.connect() as conn:
            conn.execute("INSERT INTO tenants (id, name, slug) VALUES (%s, %s, %s)", SECOND)
            reference.data.generate(conn, scale=0.02, tenant=SECOND[0])
    programs = Path(server.program("psql")).parent
    with contextlib.ExitStack() as stack:
        given = poolers(PAGES[name], db.dsn, stack) if pages.state(PAGES[name]) == "pooled" else {}
        found = pages.run(PAGES[name], environment(programs) | {"TENANTRY_DSN": db.dsn} | given, files)
    assert [str(f) for f in found] == []


def poolers(page: str, dsn: str, stack: contextlib.ExitStack) -> dict[str, str]:
    """The DSNs through a PgBouncer that is configured as the page says, as the application and as the owner."""
    if pgbouncer.PROGRAM is None:
        pytest.skip(f"NOT TESTED HERE: {pgbouncer.ABSENT}")
    (text,) = (block.text for block in pages.blocks(page) if block.kind == "ini")
    file = configparser.ConfigParser()
    file.read_string(text)
    said = file["pgbouncer"]
    assert said["ignore_startup_parameters"] == "extra_float_digits"  # as it is started below
    users = {"POOL_DSN": "app_user", "OWNER_POOL_DSN": None}
    return {
        name: stack.enter_context(
            pgbouncer.pooled(dsn, user, mode=said["pool_mode"], reset=said["server_reset_query"])
        )
        for name, user in users.items()
    }


def test_every_page_with_commands_is_run() -> None:
    shown = {name for name, page in PAGES.items() if any(b.kind == "console" for b in pages.blocks(page))}
    assert shown <= set(RUN)
    assert {"README.md", "docs/tutorial/nine-tables.md", "docs/how-to/throwaway-server.md"} <= set(RUN)


@pytest.mark.parametrize("name", PAGES)
def test_every_piece_of_a_spec_is_one(name: str) -> None:
    for block in pages.blocks(PAGES[name]):
        if block.kind == "toml":
            spec.parse(block.text, f"{name}:{block.line}")


# The runner itself


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("```console\n$ echo one\none\n```", 0),
        ("```console\n$ echo one\ntwo\n```", 1),
        ("```console\n$ echo one\n```", 1),
        ("```console\n$ true\n```", 0),
        ("```console\n$ true\nword\n```", 1),
        ("```console\n$ echo oops >&2\noops\n```", 0),
        ("```console\n$ false\n```", 1),
        ("```console\n$ false  # exit 1\n```", 0),
        ("```console\n$ true  # exit 1\n```", 1),
        ("```console\n$ exit 0\n$ true\n```", 1),
        ("```console\n$ printf '1\\n2\\n3\\n'\n1\n…\n```", 0),
        ("```console\n$ printf '1\\n2\\n3\\n'\n…\n2\n```", 1),
        ("```console\n$ printf '1\\n2\\n3\\n'\n…\n3\n…\n```", 0),
        ("```console\n$ echo 12 steps in 0.3 s\n… steps in … s\n```", 0),
        ("```console\n$ echo 12 stairs in 0.3 s\n… steps in … s\n```", 1),
        ("```console\n$ echo a.c\na.c\n$ echo abc\na.c\n```", 1),
        ("```console\n$ cat <<END\n> one\n>\n> two\n> END\none\n\ntwo\n```", 0),
        ("```console\n$ word=kept\n```\nText.\n```console\n$ echo $word; cd /\nkept\n```", 0),
        ("```python\nassert 1 + 1 == 2\n```", 0),
        ("```python\nassert 1 + 1 == 3\n```", 1),
        ("```toml\n# a.toml\nx = 1\n```\n```toml\n# a.toml, continued\ny = 2\n```\n```console\n$ cat a.toml\nx = 1\ny = 2\n```", 0),
        ("```sh\nfalse\n```", 0),
        ("<!-- tested: nothing, numbers vary -->\n```console\n$ echo 12 steps, 3.5 s\n7 steps, 99.1 s\n```", 0),
        ("<!-- tested: nothing, numbers vary -->\n```console\n$ echo 12 steps, 3.5 s\n7 stairs, 9.1 s\n```", 1),
        ("<!-- tested: nothing -->\n```console\n$ echo 12 steps\n7 steps\n```", 1),
    ],
)  # fmt: skip
def test_the_runner_sees_what_a_page_says_wrongly(page: str, found: int) -> None:
    assert len(pages.run(page + "\n", environment())) == found


def test_the_runner_stops_at_a_wrong_end() -> None:
    (failure,) = pages.run("```console\n$ false\n$ echo not reached\n```\n", environment())
    assert "line 2: false\nexit 1, the page says 0" in str(failure)


def test_the_runner_ends_a_server_that_a_page_leaves() -> None:
    text = (
        "from tenantry import embedded\n"
        "with embedded.cluster(embedded.embedded_binaries(), keep=True) as server: pid = server.pid\n"
        "open('pid', 'w').write(str(pid))\n"
    )
    page = f"```python\n{text}```\n```console\n$ cat pid\n…\n$ kill -0 $(cat pid)\n$ false\n```\n"
    failures = pages.run(page, environment())
    assert [f.command.script for f in failures] == ["false"]
    left = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True).stdout
    assert "/tmp/pages-" not in "".join(line for line in left.splitlines() if "postgres -D" in line)


def test_an_unknown_state_is_refused() -> None:
    with pytest.raises(ValueError, match="halfway is no state; say one of nothing, empty"):
        pages.state("<!-- tested: halfway -->\n")


def test_output_without_a_command_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2: output without a command"):
        pages.commands("```console\nwords\n```\n")


# Generated pages


def told(*arguments: str) -> str:
    """What the command line says of itself."""
    return CliRunner().invoke(cli.app, [*arguments, "--help"], prog_name="tenantry").stdout


def test_every_verb_and_option_of_the_command_line_is_documented() -> None:
    page = generated.fill(PAGES["docs/reference/cli.md"])
    sections = dict(
        re.findall(
            r"^## `tenantry ((?:(?:audit|keys) )?\w+).*?`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL
        )
    )
    listed = re.compile(r"^  (\w+) ", re.MULTILINE)
    groups = ("audit", "keys")
    verbs = [verb for verb in listed.findall(told().partition("Commands:")[2]) if verb not in groups]
    inner = [f"{g} {verb}" for g in groups for verb in listed.findall(told(g).partition("Commands:")[2])]
    assert list(sections) == [*verbs, *inner]
    for verb, section in sections.items():
        text = told(*verb.split())
        options = set(re.findall(r"^  (--[\w-]+)", text, re.MULTILINE)) - {"--help"}
        assert options == set(re.findall(r"^\| `(--[\w-]+)", section, re.MULTILINE)), verb
        assert set(re.findall(r"env\s+var:\s+(\w+)", text)) == set(
            re.findall(r"`(TENANTRY_\w+)`", section)
        ), verb


def models(model: type[BaseModel] = spec.Spec) -> Iterator[type[BaseModel]]:
    """The models of a spec, from their annotations and not from the JSON Schema."""
    yield model
    for part in spec.Model.__subclasses__():
        if part is not model:
            yield part


def test_every_key_of_the_spec_is_documented() -> None:
    page = generated.fill(PAGES["docs/reference/spec.md"])
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", page, re.MULTILINE)
    sections = {
        "tenancy",
        "roles",
        "audit",
        "resolvers",
        "searches",
        "render",
        "tables",
    }  # headings, not rows
    assert all(f"`[{name}" in page for name in sections)
    documented = {(key, meaning) for key, meaning in rows}
    for model in models():
        for key, field in model.model_fields.items():
            if model is not spec.Spec:
                assert (key, field.description or "") in documented, f"{model.__name__}.{key}"
            else:
                assert key in sections | {"waivers"}  # an array of tables, headed `[[waivers]]`


def test_what_nothing_generates_is_refused() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        generated.fill("<!-- generated: nonsense -->\n")


# What pages list


def test_every_name_of_the_contract_is_in_the_file_that_makes_it() -> None:
    sections = re.findall(
        r"^### `(\d{4}_\w+\.sql)`\n(.*?)(?=^### |\Z)", PAGES["docs/reference/names.md"], re.M | re.S
    )
    assert [name for name, _ in sections] == sorted(p.name for p in reference.MIGRATIONS.glob("*.sql"))
    count = 0
    for name, section in sections:
        text = (reference.MIGRATIONS / name).read_text(encoding="utf-8")
        listed = re.findall(r"`([a-z]+(?:_[a-z]+)+)`", section)
        count += len(listed)
        assert [n for n in listed if n not in text] == [], name
    assert count > 40


def test_every_phase_is_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGES["docs/explanation/the-plan.md"], re.MULTILINE)
    assert rows == [phase.value for phase in Phase]


def test_every_refusal_of_the_planner_is_explained() -> None:
    page = (
        PAGES["docs/how-to/errors-and-recovery.md"]
        .partition("## No plan can be made")[2]
        .partition("\n## ")[0]
    )
    patterns = [
        p for row in re.findall(r"^\| (`.*`) \|", page, re.MULTILINE) for p in re.findall(r"`([^`]+)`", row)
    ]
    refused = [
        line
        for file in sorted((pages.ROOT / "tests" / "cases").glob("*/refused*.txt"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("--")
    ]
    assert len(refused) > 50
    assert [line for line in refused if not any(explains(p, line) for p in patterns)] == []


def test_what_stops_a_run_is_said_by_the_program() -> None:
    page = (
        PAGES["docs/how-to/errors-and-recovery.md"]
        .partition("## Apply stopped")[2]
        .partition("\n## Nothing")[0]
    )
    rows = [row for row in re.findall(r"^\| (.*?) \| ", page, re.MULTILINE) if "SQLSTATE" not in row]
    phrases = [phrase for row in rows for phrase in re.findall(r"`([^`]+)`", row)]
    sources = "".join(p.read_text(encoding="utf-8") for p in Path(tenantry.__file__).parent.rglob("*.py"))
    assert len(phrases) > 8
    assert [p for p in phrases if not all(part.strip() in sources for part in p.split(pages.DOTS))] == []


def explains(pattern: str, line: str) -> bool:
    """Whether a pattern is how a refusal goes on after the name of the object, or its whole beginning."""
    text = ".*".join(re.escape(part) for part in pattern.split(pages.DOTS))
    return re.match(rf"(?:.*?: )?{text}", line) is not None


def test_a_refusal_that_is_not_explained_would_be_found() -> None:
    assert explains(
        "key … is WITHOUT OVERLAPS, …", "prices: key prices_key is WITHOUT OVERLAPS, which is not"
    )
    assert not explains("key … is WITHOUT OVERLAPS, …", "prices: key prices_key is too old; renew it")


def test_the_error_page_names_what_a_bound_role_gets(make_db: MakeDatabase) -> None:
    db = make_db()
    with db.connect() as conn:
        conn.execute("CREATE TABLE notes (tenant_id text)")
        conn.execute("ALTER TABLE notes ENABLE ROW LEVEL SECURITY")
        conn.execute(f"CREATE ROLE {db.role('app')}".encode())
        conn.execute(f"GRANT ALL ON notes TO {db.role('app')}".encode())
        conn.execute(f"SET ROLE {db.role('app')}".encode())
        conn.execute("SET row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
            conn.execute("UPDATE notes SET tenant_id = 'a'")
    message = caught.value.diag.message_primary or ""
    assert message.partition(" for table")[0] in PAGES["docs/how-to/errors-and-recovery.md"]
