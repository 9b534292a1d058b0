"""Alembic's autogenerate, which knows tenancy: a new table's revision brings all that the plan asks of the table.

In ``env.py``: ``context.configure(…, process_revision_directives=complete("tenantry.toml"))``. What is missing is
not guessed: the revision is tried out in a transaction that is rolled back, and the planner says what the
database then still lacks. So it runs against a development database, as autogenerate does anyway.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import renderers
from alembic.migration import MigrationContext
from alembic.operations import Operations, ops
from alembic.util import CommandError

from tenantry import ddl, introspect, planner
from tenantry import spec as specs
from tenantry.alembic import kept, steps
from tenantry.catalog import Catalog
from tenantry.counts import counted
from tenantry.errors import TenantryError
from tenantry.names import QName, display, spell
from tenantry.plan import Backfill, Plan
from tenantry.spec import Spec

log = logging.getLogger("alembic.tenantry")

_LOCK_TIMEOUT = (
    "SET LOCAL lock_timeout = '2s'"  # of the trial: it waits for nobody, and nobody waits long for it
)
_LARGE = 100_000  # rows; reading fewer takes less than a second
_TYPES: dict[str, Callable[[], sa.types.TypeEngine[Any]]] = {
    "text": sa.Text,
    "uuid": sa.Uuid,
    "bigint": sa.BigInteger,
    "integer": sa.Integer,
}


def complete(spec: str | Path | Spec) -> Callable[[Any, Any, list[Any]], None]:
    """What ``process_revision_directives`` is given; ``spec`` is a file, read when a revision is made, or a spec.

    It adds what new tables lack, leaves out what would undo the tenancy of old ones, and writes no revision, with
    a CommandError that says why, for a table that the spec does not declare, a database that is not as declared
    to begin with, and anything that needs rows to be filled (``tenantry render alembic`` writes those revisions).
    """

    def process(context: Any, revision: Any, directives: list[Any]) -> None:
        script = directives[0]
        if len(script.upgrade_ops_list) != 1:
            raise CommandError("tenantry: several databases in one revision are not supported")
        if script.upgrade_ops.is_empty():
            return
        declared = spec if isinstance(spec, Spec) else specs.load(Path(spec))
        try:
            _complete(context, script, declared)
        except TenantryError as error:
            raise CommandError(str(error)) from error
        if script.upgrade_ops.is_empty() and not _checks(context):
            directives.clear()

    return process


def _checks(context: Any) -> bool:
    """Whether this is ``alembic check``, which wants an empty revision where there is nothing to do."""
    options = getattr(context.environment_context.config, "cmd_opts", None)
    asked = getattr(options, "cmd", None)
    return asked is not None and asked[0] is command.check


def _complete(context: Any, script: Any, declared: Spec) -> None:
    schema = context.connection.dialect.default_schema_name
    wanted = _flat(script.upgrade_ops)
    made = {kept.table(op, schema): op for op in wanted if isinstance(op, ops.CreateTableOp)}
    _refuse_undeclared(declared, made)
    with _beside(context.connection) as connection:
        before = introspect.read(_driver(connection))
        now = _spec_of(declared, before)
        kept.refuse_pending(now, before, wanted, schema)
        stay, left = kept.kept(wanted, now, before, schema)
        for one in left:
            log.info("tenancy: left out %s", one)
        script.upgrade_ops.ops = stay
        script.downgrade_ops = script.upgrade_ops.reverse_into(ops.DowngradeOps([]))
        if not stay:
            return
        first = [text for op in stay for text in _with_column(op, declared, before, schema)]
        strict = context.connection.exec_driver_sql("SHOW row_security").scalar() == "off"
        trial = _Trial(connection, declared, context.version_table, tuple(made), strict)
        tried = trial.run(stay, first)
    changed = {kept.table(op, schema) for op in stay} - made.keys()
    early, late = steps.back(tried.plan, tried.final, tuple(made), changed)
    script.upgrade_ops.ops += [*map(Statement, first), *(Statement(*pair) for pair in tried.forward)]
    script.downgrade_ops.ops = [*map(Statement, early), *script.downgrade_ops.ops, *map(Statement, late)]
    _tell(tried.plan)


def _tell(plan: Plan) -> None:
    """How much the revision got, and what of it blocks a large table for a while."""
    log.info("tenancy: %d steps complete the revision", len(plan.steps))
    for step in plan:
        if step.rows >= _LARGE and step.lock.blocks:
            log.warning(
                "tenancy: %s reads about %d rows of %s under %s; for a live database keep only the creation of the new "
                "table in the revision, and let `tenantry apply` bring the rest, which locks for moments",
                step.id, step.rows, step.object, step.lock.value,
            )  # fmt: skip


def _flat(given: Any) -> list[Any]:
    return [
        one for op in given.ops for one in (_flat(op) if isinstance(op, ops.ModifyTableOps) else [op])
    ]  # fmt: skip


def _refuse_undeclared(declared: Spec, made: dict[QName, Any]) -> None:
    own = {declared.tenancy.tenants, *([declared.audit.table] if declared.audit else [])}
    for name in made:
        if name not in declared.tables and name not in own:
            key = f"tables.{spell(name)}"
            raise CommandError(
                f"{display(name)} is new and tenantry.toml does not say whose its rows are; no revision was written.\n"
                f'Write\n\n[{key}]\nscope = "tenant"\n\nif each row belongs to one tenant, or one of\n\n'
                '  scope = "shared"    every tenant reads all rows, none writes them\n'
                '  scope = "through"   rows belong to a row of a tenant table: add parent = "…"\n'
                '  scope = "ignored"   tenants have nothing to do with it, and the application no rights on it\n\n'
                "and make the revision again."
            )


def _spec_of(declared: Spec, catalog: Catalog) -> Spec:
    """The spec of a database that does not have every declared table yet."""
    there = catalog.by_name.keys() | {declared.tenancy.tenants}
    audit = declared.audit
    if audit is not None:
        captured = tuple(entry for entry in audit.capture if entry.table in there)
        audit = audit.model_copy(update={"capture": captured})
    return declared.model_copy(
        update={
            "audit": audit,
            "tables": {name: rule for name, rule in declared.tables.items() if name in there},
            "searches": {name: one for name, one in declared.searches.items() if one.table in there},
            "resolvers": {name: one for name, one in declared.resolvers.items() if one.table in there},
        }
    )


def _with_column(op: Any, declared: Spec, catalog: Catalog, schema: str) -> list[str]:
    """Give a CREATE TABLE the tenant column; returns what must follow it before the planner can look."""
    name = kept.table(op, schema)
    rule = declared.tables.get(name)
    if not isinstance(op, ops.CreateTableOp) or rule is None or rule.scope != "tenant":
        return []
    column = rule.column or declared.tenancy.column
    given = next((c for c in op.columns if isinstance(c, sa.Column) and c.name == column), None)
    if given is not None:
        return [ddl.set_not_null(name, column)] if given.nullable else []
    tenants = catalog.by_name[declared.tenancy.tenants]
    key = tenants.column(declared.tenancy.key)
    kind = _TYPES.get(key.base if key is not None else "")
    if kind is None:
        raise CommandError(
            f"{display(name)}: add the tenant column {column} to its model, typed as in other tables"
        )
    op.columns = [sa.Column(column, kind(), nullable=False), *op.columns]
    return []


@contextmanager
def _beside(connection: Any) -> Iterator[Any]:
    """A connection of its own to the same database, through psycopg, whatever driver env.py uses."""
    engine, made = connection.engine, None
    if engine.dialect.driver != "psycopg" or engine.dialect.is_async:
        url = engine.url.set(drivername="postgresql+psycopg")
        engine = made = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        with engine.connect() as opened:
            yield opened
    finally:
        if made is not None:
            made.dispose()


def _driver(connection: Any) -> Any:
    return connection.connection.driver_connection


@dataclass(frozen=True, slots=True)
class _Tried:
    """The plan after the operations, its statements as they were run, and the catalog after all."""

    plan: Plan
    forward: list[tuple[str, str]]
    final: Catalog


@dataclass(frozen=True, slots=True)
class _Trial:
    """A revision run in a transaction that is rolled back."""

    connection: Any
    declared: Spec
    versions: str
    made: tuple[QName, ...]
    strict: bool

    def run(self, wanted: Sequence[Any], first: Sequence[str]) -> _Tried:
        """What the database lacks after the operations. Raises CommandError if the plan's steps do not bring it."""
        driver = _driver(self.connection)
        with self.connection.begin() as transaction:
            self.connection.exec_driver_sql(_LOCK_TIMEOUT)
            try:
                self._invoke(wanted, driver, first)
                plan, after = self._plan(driver)
                _refuse_backfill(plan)
                forward = steps.forward(plan, after, self.made, strict=self.strict)
                _run(driver, [text for text, _ in forward])
            except (sa.exc.DBAPIError, psycopg.Error) as error:
                raise CommandError(f"tenantry tried the revision, and it cannot run: {error}") from error
            left, final = self._plan(driver)
            transaction.rollback()
        if left:
            raise CommandError(
                f"tenantry: after its {counted(len(plan.steps), 'step')} {len(left.steps)} more would be pending, first {left.steps[0].id}; no "
                "revision was written; upgrade a scratch database, and let `tenantry plan` say what is missing there"
            )
        return _Tried(plan, forward, final)

    def _invoke(self, wanted: Sequence[Any], driver: Any, first: Sequence[str]) -> None:
        operations = Operations(MigrationContext.configure(self.connection))
        for op in wanted:
            operations.invoke(op)
        _run(driver, first)

    def _plan(self, driver: Any) -> tuple[Plan, Catalog]:
        """The plan and the catalog it is for; Alembic makes its own table with the first upgrade."""
        catalog = introspect.read(driver)
        rules = self.declared.tables
        tables = {n: rule for n, rule in rules.items() if n in catalog.by_name or n.name != self.versions}
        spec = self.declared.model_copy(update={"tables": tables})
        return planner.plan(spec, catalog, "transactional"), catalog


def _refuse_backfill(plan: Plan) -> None:
    for step in plan:
        if isinstance(step, Backfill):
            raise CommandError(
                f"{step.object}: its rows must be filled, which autogenerate does not do; take the change out of the "
                "models, run `tenantry render alembic .`, and make the revision again after it"
            )


def _run(driver: Any, statements: Sequence[str]) -> None:
    for statement in statements:
        driver.execute(statement.encode())


# How a statement is written into a revision


class Statement(ops.MigrateOperation):
    """One statement of the plan, and why, above the first of a step."""

    def __init__(self, text: str, why: str = "") -> None:
        self.text = text
        self.why = why

    def to_diff_tuple(self) -> tuple[str, str]:
        """How ``alembic check`` names it."""
        return "execute", self.text


@renderers.dispatch_for(Statement)
def _rendered(context: Any, op: Statement) -> list[str]:
    text = kept.escaped(op.text)
    lines = [f"# {line}" for line in kept.wrapped(op.why)]
    if "\n" not in text:
        return [*lines, f"op.execute({text!r})"]
    return [*lines, "op.execute(", *(f"    {line!r}" for line in text.splitlines(keepends=True)), ")"]
