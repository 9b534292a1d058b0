"""The tenant scope: who carries it, what nests, what is refused, and what a wrong end does."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tenantry.errors import MixedTenants, NoTenant, TenantError
from tenantry.runtime import Scope, carry, current, current_or_none, no_tenant, tenant
from tenantry.runtime.binding import Binding, State, begins, ends, literal


def test_a_scope_holds_inside_and_not_outside() -> None:
    with tenant("acme") as scope:
        assert current() is scope
        assert scope == Scope("acme")
    assert current_or_none() is None
    with pytest.raises(NoTenant, match=r"no tenant scope.*with tenant\(id\)"):
        current()


def test_it_ends_with_an_error_too_and_lets_it_through() -> None:
    with pytest.raises(ZeroDivisionError), tenant("acme"):
        _ = 1 / 0
    assert current_or_none() is None


def test_one_object_serves_both_and_again() -> None:
    scope = tenant("acme")

    async def work() -> str | None:
        async with scope:
            return current().tenant

    assert asyncio.run(work()) == "acme"
    with scope:
        assert current().tenant == "acme"
        with pytest.raises(TenantError, match="entered already"), scope:
            pass
    with scope:
        assert current().tenant == "acme"


def test_the_same_tenant_nests_and_takes_over_what_is_not_given() -> None:
    with tenant("acme", actor="u1", request_id="r1", plan="pro"):
        with tenant("acme", actor="u2", region="eu") as inner:
            assert inner == Scope("acme", "u2", "r1", {"plan": "pro", "region": "eu"})
        assert current() == Scope("acme", "u1", "r1", {"plan": "pro"})


def test_another_tenant_nests_only_when_asked_for_and_takes_nothing_over() -> None:
    with tenant("acme", actor="u1"):
        with (
            pytest.raises(MixedTenants, match="'globex' inside the scope of tenant 'acme'"),
            tenant("globex"),
        ):
            pass
        assert current().tenant == "acme"
        with tenant("globex", switch=True) as inner:
            assert inner == Scope("globex")
        assert current() == Scope("acme", "u1")


def test_no_tenant_is_a_scope_and_lets_a_tenant_in() -> None:
    with no_tenant() as scope:
        assert scope.tenant is None
        with tenant("acme"):
            assert current().tenant == "acme"
            with pytest.raises(MixedTenants, match=r"no_tenant\(\) inside"), no_tenant():
                pass
        assert current().tenant is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "empty"),
        ("a\0b", r"U\+0000"),
        ("a\nb", r"U\+000A"),
        ("\udc80", r"U\+DC80"),
        ("x" * 256, "256 characters"),
        (None, "not NoneType"),
        ([], "not list"),
        (False, "not bool"),
        (1.5, "not float"),
    ],
)
def test_a_value_that_cannot_be_a_tenant_is_refused(value: Any, words: str) -> None:
    with pytest.raises(TenantError, match=words):
        tenant(value)


@pytest.mark.parametrize("field", ["actor", "request_id", "anything"])
def test_what_travels_along_is_text(field: str) -> None:
    with pytest.raises(TenantError, match=f"{field} is empty"):
        tenant("acme", **{field: ""})  # type: ignore[arg-type]
    with pytest.raises(TenantError, match=f"{field} is text"):
        tenant("acme", **{field: 7})  # type: ignore[arg-type]


def test_zero_and_a_uuid_are_tenants() -> None:
    key = uuid.UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
    with tenant(0):  # a falsy one is one: peers 3.8
        assert current().tenant == "0"
    with tenant(key):
        assert current().tenant == str(key)


# Who carries it


def test_tasks_and_to_thread_carry_it() -> None:
    async def name() -> str | None:
        await asyncio.sleep(0)
        return current().tenant

    def now() -> str | None:
        return current().tenant

    async def work() -> list[str | None]:
        tasks = []
        for each in ("a", "b", "a"):  # peers 3.8: read back a, a, a
            with tenant(each):
                tasks.append(asyncio.create_task(name()))
                tasks.append(asyncio.ensure_future(asyncio.to_thread(now)))
        return await asyncio.gather(*tasks)

    assert asyncio.run(work()) == ["a", "a", "b", "b", "a", "a"]
    assert current_or_none() is None


def test_an_executor_and_a_thread_need_carry() -> None:
    def name(prefix: str = "") -> str:
        return f"{prefix}{current().tenant}"

    with ThreadPoolExecutor(1) as pool:
        with tenant("a"):
            with pytest.raises(NoTenant):
                pool.submit(name).result()
            carried = carry(name)
        with tenant("b"):
            assert list(pool.map(carry(name), "xy")) == ["xb", "yb"]
        assert pool.submit(carried).result() == "a"
        with pytest.raises(NoTenant):
            pool.submit(name).result()  # nothing stays in the worker
        with pytest.raises(NoTenant):
            carry(name)
    seen: list[str] = []

    def note() -> None:
        seen.append(name())

    with tenant("a"):
        thread = threading.Thread(target=carry(note))
    thread.start()
    thread.join()
    assert seen == ["a"]


def test_carry_gives_many_workers_at_once_the_scope() -> None:
    barrier = threading.Barrier(4)

    def work(_: int) -> str | None:
        barrier.wait(5)  # one context cannot be entered by two threads
        return current().tenant

    with ThreadPoolExecutor(4) as pool, tenant("a"):
        assert list(pool.map(carry(work), range(4))) == ["a"] * 4


def test_carry_refuses_a_coroutine_function() -> None:
    async def work() -> None: ...

    with tenant("a"), pytest.raises(TenantError, match="a task carries the scope by itself"):
        carry(work)


# Generators and ends in the wrong place


def test_a_generator_that_is_iterated_cannot_open_a_scope() -> None:
    def rows(name: str) -> Iterator[str | None]:
        with tenant(name, switch=True):
            yield current().tenant

    async def async_rows() -> AsyncIterator[str | None]:
        async with tenant("a"):
            yield current().tenant

    def with_a_stack() -> Iterator[str | None]:
        with contextlib.ExitStack() as stack:
            yield stack.enter_context(tenant("a")).tenant

    async def first() -> None:
        async for _ in async_rows():
            pass

    with pytest.raises(TenantError, match="generator rows opens a tenant scope"):
        list(zip(rows("a"), rows("b"), strict=True))
    with pytest.raises(TenantError, match="generator with_a_stack opens"):
        next(with_a_stack())
    with pytest.raises(TenantError, match="generator async_rows opens"):
        asyncio.run(first())
    assert current_or_none() is None


def test_a_generator_that_is_a_context_manager_can() -> None:
    @contextlib.contextmanager
    def request(name: str) -> Iterator[None]:
        with tenant(name):
            yield

    @contextlib.asynccontextmanager
    async def async_request(name: str) -> AsyncIterator[None]:
        async with tenant(name):
            yield

    async def work() -> str | None:
        async with async_request("b"):
            return current().tenant

    with request("a"):
        assert current().tenant == "a"
    assert asyncio.run(work()) == "b"
    assert current_or_none() is None


@pytest.fixture
def in_a_scope() -> Iterator[None]:
    with tenant("a"):
        yield


@pytest.mark.usefixtures("in_a_scope")
def test_a_fixture_can_too() -> None:
    assert current().tenant == "a"


def test_a_scope_that_is_left_in_another_context_is_over_everywhere() -> None:
    scope = tenant("a")
    scope.__enter__()
    copy = contextvars.copy_context()
    copy.run(scope.__exit__, None, None, None)
    with pytest.raises(NoTenant):
        current()
    with pytest.raises(NoTenant):
        copy.run(current)
    with tenant("b"):
        assert current().tenant == "b"
    assert current_or_none() is None


def test_a_scope_that_is_left_in_another_context_leaves_that_ones_alone() -> None:
    scope = tenant("a")
    context = contextvars.Context()
    context.run(scope.__enter__)
    with tenant("b"):
        scope.__exit__(None, None, None)
        assert current().tenant == "b"
    assert current_or_none() is None
    with pytest.raises(NoTenant):
        context.run(current)


@pytest.mark.parametrize("inner", ["a", "b"])
def test_scopes_left_in_the_wrong_order_do_not_revive(inner: str) -> None:
    first, second = tenant("a"), tenant(inner, switch=True)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert current().tenant == inner
    second.__exit__(None, None, None)
    assert current_or_none() is None


def test_a_context_manager_that_is_collected_in_another_thread_ends_its_scope() -> None:
    @contextlib.contextmanager
    def request() -> Iterator[None]:
        with tenant("a"):
            yield

    held: list[Any] = [request()]
    held[0].__enter__()
    assert current().tenant == "a"

    def drop() -> None:
        held.clear()
        gc.collect()

    thread = threading.Thread(target=drop)
    thread.start()
    thread.join()
    assert current_or_none() is None


def test_a_task_keeps_the_scope_that_it_was_made_in() -> None:
    async def work() -> str | None:
        async def later() -> str | None:
            await asyncio.sleep(0.01)
            return current().tenant

        with tenant("a"):
            task = asyncio.create_task(later())
        assert current_or_none() is None
        return await task

    assert asyncio.run(work()) == "a"


def test_the_package_brings_no_driver_along() -> None:
    code = (
        "import sys, tenantry.runtime; print({m.partition('.')[0] for m in sys.modules} & set(sys.argv[1:]))"
    )
    drivers = ["psycopg", "psycopg_pool", "asyncpg", "sqlalchemy", "pydantic", "rich"]
    done = subprocess.run([sys.executable, "-c", code, *drivers], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# The binding


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("acme", "'acme'"),
        ("", "''"),
        ("7c9e6679-7425-40de-944b-e07fc1f90ae7", "'7c9e6679-7425-40de-944b-e07fc1f90ae7'"),
        ("o'b", r"E'o\U00000027b'"),
        ("a\\", r"E'a\U0000005C'"),
        ("a b;--", r"E'a\U00000020b\U0000003B--'"),
        ("é😀", r"E'\U000000E9\U0001F600'"),
    ],
)
def test_a_literal_holds_allowed_characters_and_escapes(value: str, written: str) -> None:
    assert literal(value) == written


@pytest.mark.parametrize("name", ["tenant", "app.x; DROP TABLE notes", 'app."x"', "app.", ""])
def test_a_setting_is_a_qualified_name(name: str) -> None:
    with pytest.raises(TenantError, match="no qualified name"):
        Binding(name)


def test_a_setting_may_be_a_reserved_word() -> None:
    assert Binding("app.user").assignment("a") == 'SET LOCAL "app"."user" = \'a\''


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(TenantError, match="say 'raise' or 'empty'"):
        Binding(unscoped="silent")  # type: ignore[arg-type]


def test_a_sweep_that_was_broken_off_is_sent_again() -> None:
    state = State(Binding())
    with tenant("a"):
        assert "DISCARD TEMP" not in state.opening("BEGIN", fixed_plans=lambda: False)
    with tenant("b"):
        assert "DISCARD TEMP" in state.opening("BEGIN", fixed_plans=lambda: False)
        assert "DISCARD TEMP" in state.opening("BEGIN", fixed_plans=lambda: False)
        state.swept = True  # the adapter says so
        assert "DISCARD TEMP" not in state.opening("BEGIN", fixed_plans=lambda: False)


@pytest.mark.parametrize(
    ("of", "statement", "is_it"),
    [
        (ends, "COMMIT", True),
        (ends, "rollback to savepoint x;", True),
        (ends, "RELEASE x", True),
        (ends, "COMMIT AND CHAIN", False),
        (ends, "ROLLBACK; SELECT * FROM notes", False),
        (ends, "SELECT 1", False),
        (begins, "BEGIN ISOLATION LEVEL SERIALIZABLE;", True),
        (begins, "start transaction", True),
        (begins, "BEGIN; SELECT 1", False),
        (begins, "beginning", False),
    ],
)
def test_what_a_statement_does(of: Callable[[str], bool], statement: str, is_it: bool) -> None:
    assert of(statement) is is_it
