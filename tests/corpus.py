"""What the tests of `cases/` are made of: a case, its database, and everything that is compared about one."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tenantry import introspect, keys, spec
from tenantry.catalog import Catalog, Table
from tenantry.names import QName, columns, literal, qualified, quote
from tenantry.plan import Backfill, Change, Plan
from tenantry.spec import Constant, Spec
from tenantry.steps import context
from tests.servers import Database, MakeDatabase

CASES = Path(__file__).parent / "cases"
UPDATE_GOLDEN = bool(os.environ.get("TENANTRY_UPDATE_GOLDEN"))
Rows = dict[QName, tuple[int, str]]
# Roles belong to the whole server, so those of a case get the name of its database in front.
_ROLE = re.compile(r"\b(?:app_user|case_[a-z_]+)\b")


@dataclass(frozen=True)
class Case:
    """One directory of `cases/`."""

    directory: Path

    @property
    def name(self) -> str:
        return self.directory.name

    @cached_property
    def before(self) -> str:
        return (self.directory / "before.sql").read_text(encoding="utf-8")

    def _head(self, word: str) -> list[str]:
        """What the comments that `before.sql` begins with say after `-- word: `."""
        head = re.match(r"(?:--.*\n)*", self.before)
        return re.findall(rf"^-- {word}: (\S+)$", head.group() if head else "", re.MULTILINE)

    @property
    def marks(self) -> list[pytest.MarkDecorator]:
        """From `-- pg: >=18`."""
        return [pytest.mark.pg(requirement) for requirement in self._head("pg")]

    @property
    def extensions(self) -> list[str]:
        """From `-- needs: btree_gist`."""
        return self._head("needs")

    @property
    def refused(self) -> bool:
        return (self.directory / "refused.txt").exists()

    @property
    def unproven(self) -> list[str]:
        """The lines of `unproven.txt`: what an attack comes to where it does not simply hold."""
        file = self.directory / "unproven.txt"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return sorted(line for line in lines if line and not line.startswith("#"))

    def golden(self, major: int) -> Path:
        """`plan.sql`, or where a server's version makes a difference `plan.pg15.sql`, for every one before 18."""
        older = self.directory / "plan.pg15.sql"
        return older if major < 18 and older.exists() else self.directory / "plan.sql"

    def wrong_tenants(self) -> list[str]:
        """The queries of `expect.sql`, each of which yields the rows that have a wrong tenant."""
        file = self.directory / "expect.sql"
        text = (
            re.sub(r"^--.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            if file.exists()
            else ""
        )
        return [query.strip() for query in text.split(";\n") if query.strip()]


def cases() -> list[Case]:
    return [Case(file.parent) for file in sorted(CASES.glob("*/before.sql"))]


@dataclass(frozen=True, slots=True)
class Subject:
    """A database that was made from a case, as it was at first.

    `rows` are the number and the checksum of each table's rows, `own_rows` the same without the tenant column;
    they and `dump`, the schema as pg_dump writes it, are empty where nobody compares them later.
    """

    case: Case
    db: Database
    spec: Spec
    before: Catalog
    dump: str = ""
    rows: Rows = field(default_factory=dict)
    own_rows: Rows = field(default_factory=dict)

    def catalog(self) -> Catalog:
        with self.db.connect() as conn:
            return introspect.read(conn)

    def tidy(self, text: str) -> str:
        """Text with the roles as the case spells them."""
        return text.replace(f"{self.db.name}_", "")

    def tenant_column(self, name: QName) -> str:
        rule = self.spec.tables.get(name)
        return (rule.column if rule else None) or self.spec.tenancy.column

    def tenant_tables(self, catalog: Catalog) -> list[tuple[Table, QName]]:
        """The tenant tables and those under them, each with the table that the spec names."""
        found: dict[QName, tuple[Table, QName]] = {}
        for name, rule in self.spec.tables.items():
            if rule.scope == "tenant":
                for table in (catalog.by_name[name], *catalog.descendants(name)):
                    found.setdefault(table.qname, (table, name))
        return list(found.values())

    def filled_columns(self) -> set[QName]:
        """The tables whose tenant column was there and had gaps: a revert leaves what filled them."""
        found = ((name, self.before.by_name[name].column(self.tenant_column(name))) for name in self.rows)
        return {name for name, column in found if column is not None and not column.not_null}

    def count_rows(self, tables: Iterable[QName], *, without_tenant: bool) -> Rows:
        """Number and checksum of the rows of tables, of the columns that they had at first."""
        found = {}
        with self.db.connect() as conn:
            for name in tables:
                own = [c.name for c in self.before.by_name[name].columns]
                if without_tenant:
                    own = [n for n in own if n != self.tenant_column(name)]
                found[name] = _checksum(conn, name, own)
        return found


@contextmanager
def signing(subject: Subject) -> Iterator[str | None]:
    """A key for as long as it is needed, where the case signs its tenants; None elsewhere."""
    if not context.signed(subject.spec):
        yield None
        return
    key = keys.new(subject.db.dsn, subject.spec)
    yield key
    with subject.db.connect() as conn:
        conn.execute(f"DELETE FROM {qualified(context.at(subject.spec, 'keys'))}".encode())


def _checksum(conn: psycopg.Connection[Any], table: QName, own: Sequence[str]) -> tuple[int, str]:
    query = (
        "SELECT count(*), coalesce(sum(hashtextextended(to_jsonb(r)::text, 0)::numeric), 0)::text"
        f" FROM (SELECT {columns(own)} FROM {qualified(table)}) AS r"
    )
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0], row[1]


def build(case: Case, make_db: MakeDatabase, folder: Path, *, remember: bool = False) -> Subject:
    """A fresh database with the case's schema and rows; `remember` them to compare with what becomes of it."""
    db = make_db()
    _skip_without(case.extensions, db)
    file = folder / f"{db.name}.sql"
    file.write_text(_own_roles(db, case.before), encoding="utf-8")
    db.psql(file)
    toml = (case.directory / "tenantry.toml").read_text(encoding="utf-8")
    found = spec.parse(_own_roles(db, toml), f"{case.name}/tenantry.toml")
    if found.roles.app == "app_user":
        found = found.model_copy(
            update={"roles": found.roles.model_copy(update={"app": db.role("app_user")})}
        )
    with db.connect() as conn:
        before = introspect.read(conn)
    subject = Subject(case, db, found, before)
    if not remember:
        return subject
    rows, own = (subject.count_rows(before.by_name, without_tenant=without) for without in (False, True))
    return replace(subject, dump=dump(db), rows=rows, own_rows=own)


def _skip_without(extensions: Sequence[str], db: Database) -> None:
    with db.connect() as conn:
        there = {name for (name,) in conn.execute("SELECT name FROM pg_catalog.pg_available_extensions")}
    for name in extensions:
        if name not in there:
            pytest.skip(f"NOT TESTED HERE: needs extension {name}, which the server does not have")


def _own_roles(db: Database, text: str) -> str:
    return _ROLE.sub(lambda match: db.role(match.group()), text)


def dump(db: Database) -> str:
    """The schema as pg_dump writes it: what `Catalog` does not hold is compared too."""
    command = [db.server.program("pg_dump"), "--schema-only", "--exclude-schema=tenantry", "-d", db.dsn]
    done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8")
    lines = [line for line in done.stdout.splitlines() if line and not re.match(r"--|\\(un)?restrict ", line)]
    return "\n".join(lines)


def everything(catalog: Catalog) -> Any:
    """All that a catalog holds, less what differs between equal databases: sizes, attribute numbers, names of roles."""
    tables = [replace(t, rows=0, bytes=0, dropped_columns=0) for t in catalog.tables]
    whole = json.loads(replace(catalog, tables=tuple(tables), roles=()).to_json())
    database = whole.pop("server")["database"]
    return json.loads(json.dumps(whole).replace(f"{database}_", ""))


def without_leftovers(before: Catalog, now: Catalog) -> Catalog:
    """A catalog without the INVALID indexes that are not there any more: no revert makes such a thing again."""
    there = {(t.qname, i.name) for t in now.tables for i in t.indexes}
    tables = [
        replace(t, indexes=tuple(i for i in t.indexes if i.valid or (t.qname, i.name) in there))
        for t in before.tables
    ]
    return replace(before, tables=tuple(tables))


def by_hand(conn: psycopg.Connection[Any], steps: Sequence[Change | Backfill]) -> None:
    """Run the steps that are not done, without the journal, as somebody would in psql."""
    conn.execute("SET row_security = off")
    for step in steps:
        if holds(conn, step):
            continue
        if step.transactional:
            with conn.transaction():
                for statement in step.apply:
                    conn.execute(statement.encode())
                conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
        else:
            assert isinstance(step, Change)
            for statement in (*([step.cleanup] if step.cleanup else []), *step.apply):
                conn.execute(statement.encode())


def holds(conn: psycopg.Connection[Any], step: Change | Backfill) -> bool:
    """Whether a step is done, as the database tells."""
    try:
        row = conn.execute(step.verify.encode()).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn, psycopg.errors.InvalidSchemaName):
        return False
    return row is not None and row[0] is True


def golden_text(plan: Plan) -> str:
    """The notes of a plan and its statements, below the ids of its steps."""
    parts = [f"-- note: {note}\n" for note in plan.notes] + ["\n" if plan.notes else ""]
    for step in plan:
        # The recording function is the same everywhere, and is read in its own file.
        shown = () if step.id == "observe.function" else step.apply
        parts += [f"-- {step.id}\n", *(f"{statement};\n" for statement in shown), "\n"]
    return "".join(parts).rstrip("\n") + "\n"


def wrong_constants(conn: psycopg.Connection[Any], subject: Subject, table: QName) -> int | None:
    """The rows whose tenant is not the one of the spec; None where a row's tenant depends on the row."""
    source, column = subject.spec.tables[table].backfill, subject.tenant_column(table)
    if not isinstance(source, Constant) or subject.before.by_name[table].column(column) is not None:
        return None
    wrong = f"{quote(column)}::text IS DISTINCT FROM {literal(source.constant)}"
    row = conn.execute(f"SELECT count(*) FROM {qualified(table)} WHERE {wrong}".encode()).fetchone()
    assert row is not None
    return int(row[0])
