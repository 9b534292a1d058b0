"""Each scenario can fail: adapters that are wrong on purpose, in the ways of other libraries, turn it red."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from inspect import signature
from pickle import PicklingError
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import bindparam, true
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import with_loader_criteria

from tenantry.errors import TenantError
from tenantry.runtime import binding, orm, scope
from tenantry.runtime import sqlalchemy as runtime_sqlalchemy
from tenantry.runtime.binding import Binding, State
from tenantry.runtime.orm import Owned
from tests import runtime_adapters as adapters
from tests import runtime_models as models
from tests import test_runtime_orm as orm_tests
from tests import test_runtime_orm_sessions as session_tests
from tests.runtime_scenarios import SCENARIOS, World
from tests.servers import Database, Server

Patch = Callable[[pytest.MonkeyPatch], None]
opening = State.opening


def once_per_session(patch: pytest.MonkeyPatch) -> None:
    """The tenant is set for the session when a connection first works, and never again."""

    def wrong(self: State, begin: str | None, *, fixed_plans: Callable[[], bool]) -> tuple[str, ...]:
        first = self.bound is None
        opening(self, begin, fixed_plans=fixed_plans)
        start = (begin,) if begin else ()
        assignment = self.binding.assignment(self.bound or "").replace("SET LOCAL", "SET")
        return (*start, assignment) if first and self.bound else start or ("SELECT 1",)

    patch.setattr(State, "opening", wrong)
    patch.setattr(State, "check", lambda self: None)


def never_emptied(patch: pytest.MonkeyPatch) -> None:
    """The tenant is set for the session in each transaction, and nothing is written where there is none."""

    def wrong(self: State, begin: str | None, *, fixed_plans: Callable[[], bool]) -> tuple[str, ...]:
        statements = opening(self, begin, fixed_plans=fixed_plans)
        if not self.bound:
            return tuple(s for s in statements if "tenant" not in s)
        return tuple(s.replace("SET LOCAL", "SET") for s in statements)

    patch.setattr(State, "opening", wrong)


def not_bound(patch: pytest.MonkeyPatch) -> None:
    """Nothing tells the database."""

    def wrong(self: State, begin: str | None, *, fixed_plans: Callable[[], bool]) -> tuple[str, ...]:
        opening(self, begin, fixed_plans=fixed_plans)
        return (begin,) if begin else ("SELECT 1",)

    patch.setattr(State, "opening", wrong)


def last_tenant_stays(patch: pytest.MonkeyPatch) -> None:
    """Work without a scope goes on as whoever was there before."""

    def wrong(self: Binding) -> str:
        found = scope.current_or_none()
        if found is not None and found.tenant:
            last["tenant"] = found.tenant
        return last.get("tenant", "")

    last: dict[str, str] = {}
    patch.setattr(Binding, "wanted", wrong)


def silent(patch: pytest.MonkeyPatch) -> None:
    """Work without a scope shows nothing instead of raising."""

    def wrong(self: Binding) -> str:
        found = scope.current_or_none()
        return (found.tenant or "") if found else ""

    patch.setattr(Binding, "wanted", wrong)


def unchecked(patch: pytest.MonkeyPatch) -> None:
    """A statement runs in the open transaction, whoever's it is."""
    patch.setattr(State, "check", lambda self: None)


def unswept(patch: pytest.MonkeyPatch) -> None:
    """What a tenant leaves in the session stays for the next one."""

    def wrong(self: State, begin: str | None, *, fixed_plans: Callable[[], bool]) -> tuple[str, ...]:
        self.bound = None
        return opening(self, begin, fixed_plans=fixed_plans)

    patch.setattr(State, "opening", wrong)


def swept_in_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """The sweep is part of the transaction, whose rollback undoes it."""

    def wrong(self: State, begin: str | None, *, fixed_plans: Callable[[], bool]) -> tuple[str, ...]:
        statements = list(opening(self, begin, fixed_plans=fixed_plans))
        if "COMMIT" in statements:
            del statements[statements.index("COMMIT") : statements.index("COMMIT") + 2]
        return tuple(statements)

    patch.setattr(State, "opening", wrong)


def concatenated(patch: pytest.MonkeyPatch) -> None:
    """A tenant is put between quotes as it is."""
    patch.setattr(binding, "literal", lambda value: f"'{value}'")


def only_what_is_given(patch: pytest.MonkeyPatch) -> None:
    """What a scope does not give is left as the session has it."""
    patch.setattr(
        binding,
        "_context",
        lambda found: (f"SET LOCAL app.actor_id = '{found.actor}'",) if found.actor else (),
    )


RED: list[tuple[Patch, list[str]]] = [
    (
        once_per_session,
        [
            "commit", "rollback", "flush_first", "nothing_is_lost", "foreign_write", "a_stream", "copy",
            "pool_reuse_on_one_backend", "two_tenants_interleaved", "many_tasks", "no_tenant_on_purpose",
            "empty_instead_of_an_error", "a_stale_setting_of_the_session", "repeated_statements",
            "a_statement_in_the_transaction_of_another_tenant", "error_in_a_transaction_that_nobody_ends",
        ],
    ),
    (
        never_emptied,
        ["no_tenant_on_purpose", "empty_instead_of_an_error", "a_stale_setting_of_the_session",
         "a_new_transaction_in_the_same_message"],
    ),
    (
        not_bound,
        ["nested", "error", "savepoint", "serializable", "flush_first", "a_held_cursor", "a_temporary_table", "an_unusual_tenant"],
    ),
    (last_tenant_stays, ["no_scope", "no_tenant_on_purpose", "empty_instead_of_an_error"]),
    (silent, ["no_scope", "a_statement_in_the_transaction_of_another_tenant"]),
    (
        unchecked,
        [
            "a_statement_in_the_transaction_of_another_tenant", "the_scope_begins_inside_the_transaction",
            "a_stream_that_crosses_scopes",
            "a_generator_that_crosses_scopes",
        ],
    ),
    (unswept, ["a_held_cursor", "a_temporary_table"]),
    (swept_in_the_transaction, ["a_temporary_table"]),
    (concatenated, ["an_unusual_tenant"]),
    (only_what_is_given, ["who_works_is_told_and_not_inherited"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def database(server: Server) -> Iterator[Database]:
    with server.databases() as make:
        db = make()
        with db.connect() as connection:
            adapters.convert(connection, db.role("app"))
        yield db


@pytest.mark.parametrize("adapter", ["psycopg", "asyncpg"])
@pytest.mark.parametrize(
    ("sabotage", "name"),
    [(sabotage, name) for sabotage, names in RED for name in names],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_wrong_adapter_turns_the_scenario_red(
    sabotage: Patch, name: str, adapter: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connect() as connection:
        for statement in adapters.FRESH:
            connection.execute(statement.encode())
    dsn = re.sub(r"//[^/@]*@?/", f"//{quote(database.role('app'))}@/", database.dsn, count=1)
    sabotage(monkeypatch)
    scenario = SCENARIOS[name].run(World(adapters.ADAPTERS[adapter], dsn))
    red: Any = (AssertionError, pytest.fail.Exception, TenantError, psycopg.Error, adapters.ASYNCPG_ERROR)
    with pytest.raises(red):
        asyncio.run(scenario)


# Models

orm_database, url, engine = models.make_database, models.url, models.engine
exempt, said = models.exempt, models.said


def told_once(patch: pytest.MonkeyPatch) -> None:
    """The tenant is asked for when a statement is made, and stays in the statement cache."""

    def wrong(type_: Any, *, needed: bool = False) -> Any:
        found = scope.current_or_none()
        return bindparam("tenantry_tenant", found.tenant if found else None, type_)

    patch.setattr(orm, "_parameter", wrong)


def aliases_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A class under another name gets no condition."""
    wrong = with_loader_criteria(Owned, lambda cls: cls.is_own, propagate_to_loaders=False)
    patch.setattr(orm, "_CRITERIA", wrong)


def no_condition(patch: pytest.MonkeyPatch) -> None:
    """Statements stay as they are."""
    patch.setattr(orm, "_CRITERIA", with_loader_criteria(Owned, lambda cls: true()))


def carried_along(patch: pytest.MonkeyPatch) -> None:
    """What an object was loaded with goes with it, into a pickle too."""
    wrong = with_loader_criteria(Owned, lambda cls: cls.is_own, include_aliases=True)
    patch.setattr(orm, "_CRITERIA", wrong)


def anything_sent(patch: pytest.MonkeyPatch) -> None:
    """The database alone refuses a row of another tenant."""
    patch.setattr(orm, "_given", lambda *_: ())


def of_the_first(patch: pytest.MonkeyPatch) -> None:
    """New rows go to whoever was there first."""
    patch.setattr(orm, "_tenant", lambda: "a")


def given_out(patch: pytest.MonkeyPatch) -> None:
    """A Session does not ask whose its objects are."""
    for module in (orm, runtime_sqlalchemy):
        patch.setattr(module, "one_tenant", lambda *_, **__: None)


@pytest.mark.parametrize(
    ("sabotage", "test", "given"),
    [
        (told_once, orm_tests.test_a_select_says_the_tenant, {"name": "entity"}),
        (aliases_forgotten, orm_tests.test_a_select_says_the_tenant, {"name": "alias"}),
        (no_condition, orm_tests.test_a_select_says_the_tenant, {"name": "exists"}),
        (no_condition, orm_tests.test_loads_of_relationships_say_it_too, {}),
        (no_condition, orm_tests.test_updates_and_deletes_say_it, {}),
        (no_condition, orm_tests.test_the_plan_knows_the_tenant, {}),
        (carried_along, orm_tests.test_loads_of_relationships_say_it_too, {}),
        (
            anything_sent,
            orm_tests.test_a_row_that_is_given_another_tenant_is_not_sent,
            {"write": lambda session: session.add(models.Page(body="x", tenant_id="b"))},
        ),
        (of_the_first, orm_tests.test_a_new_row_is_the_scopes, {}),
        (given_out, session_tests.test_a_session_gives_nothing_out_in_another_scope, {}),
        (given_out, session_tests.test_a_row_that_waits_is_not_written_for_another_tenant, {}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_models_turn_their_test_red(
    sabotage: Patch, test: Callable[..., None], given: dict[str, Any], request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    wanted = {name: request.getfixturevalue(name) for name in signature(test).parameters if name not in given}
    sabotage(monkeypatch)
    with pytest.raises(
        (AssertionError, AttributeError, pytest.fail.Exception, TenantError, SQLAlchemyError, PicklingError)
    ):
        test(**given, **wanted)


def test_every_scenario_has_a_sabotage() -> None:
    assert set(SCENARIOS) == {name for _, names in RED for name in names}
