"""Jobs carry the scope of whoever asked for them, and nothing is done for a message without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import celery  # type: ignore[import-untyped]
import pytest
from celery import signals
from celery.beat import ScheduleEntry, Scheduler, SchedulingError  # type: ignore[import-untyped]
from celery.contrib.testing.worker import start_worker  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from tenantry.errors import MixedTenants, NoTenant, TenantError
from tenantry.runtime import Scope, current, current_or_none, no_tenant, tenant
from tenantry.runtime import celery as adapter
from tenantry.runtime import jobs as module
from tenantry.runtime.jobs import headers, job, scoped

FULL = {
    "tenantry-version": "1",
    "tenantry-tenant": "acme",
    "tenantry-actor": "u-17",
    "tenantry-request-id": "r-1",
    "tenantry-field-ip_address": "192.0.2.7",
}
TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=255)


# Headers


def test_the_scope_of_now_goes_along() -> None:
    with tenant("acme", actor="u-17", request_id="r-1", ip_address="192.0.2.7"):
        assert headers() == FULL
    with no_tenant():
        assert headers() == {"tenantry-version": "1", "tenantry-no-tenant": "true"}
    with pytest.raises(NoTenant, match="no tenant scope"):
        headers()


@given(
    TEXT,
    st.none() | TEXT,
    st.none() | TEXT,
    st.dictionaries(st.from_regex(r"[a-z]{1,9}_", fullmatch=True), TEXT),
)
def test_what_goes_in_comes_out_also_through_json(
    name: str, actor: str | None, request_id: str | None, fields: dict[str, str]
) -> None:
    with tenant(name, actor=actor, request_id=request_id, switch=False, **fields):
        sent, before = json.loads(json.dumps(headers())), current()
    with scoped({**sent, "content-type": "other headers are let be"}):
        assert current() == before


@pytest.mark.parametrize("given", [None, {}, {"x-tenant": "acme"}], ids=["none", "empty", "others"])
def test_a_message_without_a_scope_is_refused(given: Any) -> None:
    with pytest.raises(NoTenant, match=r"carries no tenant scope.* publish it with headers"):
        scoped(given)


@pytest.mark.parametrize("version", [None, "", "0", "2", 1, "1 "])
def test_a_message_of_another_version_is_refused(version: object) -> None:
    with pytest.raises(NoTenant, match="version '1' is known here"):
        scoped({**FULL, "tenantry-version": version})
    with pytest.raises(NoTenant, match="version None"):
        scoped({"tenantry-tenant": "acme"})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tenantry-tenant": ""}, "tenant is empty"),
        ({"tenantry-tenant": "a\0b"}, "U\\+0000"),
        ({"tenantry-tenant": "x" * 256}, "256 characters"),
        ({"tenantry-tenant": 17}, "tenantry-tenant is int and not text"),
        ({"tenantry-tenant": None}, "NoneType"),
        ({"tenantry-tenant": ["acme"]}, "list"),
        ({"tenantry-actor": 17}, "actor is text, not int"),
        ({"tenantry-actor": ""}, "actor is empty"),
        ({"tenantry-no-tenant": "true"}, "stands alone"),
        ({"tenantry-field-switch": "yes"}, "tenantry-field-switch is no header"),
        ({"tenantry-field-actor": "root"}, "tenantry-field-actor is no header"),
        ({"tenantry-field-": "x"}, "tenantry-field- is no header"),
        ({"tenantry-switch": "true"}, "tenantry-switch is no header"),
        ({"tenantry-field-note": 5}, "note is text, not int"),
    ],
)  # fmt: skip
def test_a_malformed_scope_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(NoTenant, match=f"malformed.*{why}"):
        scoped({**FULL, **change})


def test_a_scope_without_its_tenant_is_refused() -> None:
    with pytest.raises(NoTenant, match="tenantry-tenant is missing"):
        scoped({"tenantry-version": "1", "tenantry-actor": "u-17"})
    with pytest.raises(NoTenant, match="stands alone and is 'true'"):
        scoped({"tenantry-version": "1", "tenantry-no-tenant": "false"})


# The decorator


@job
def work(number: int) -> tuple[int, Scope]:
    return number, current()


@job
async def work_later(number: int) -> tuple[int, Scope]:
    await asyncio.sleep(0)
    return number, current()


def test_a_job_runs_in_the_scope_of_its_message() -> None:
    for message in (FULL, {**FULL, "tenantry-tenant": "globex"}):
        assert work(message, 7)[1].tenant == message["tenantry-tenant"]
        later: Any = work_later(message, number=7)
        assert asyncio.run(later) == work(message, number=7)
    assert current_or_none() is None
    with pytest.raises(NoTenant):
        work({}, 7)
    refused: Any = work_later(None, 7)
    with pytest.raises(NoTenant):
        asyncio.run(refused)


def test_a_job_of_another_tenant_is_not_done_in_a_scope() -> None:
    with tenant("globex"), pytest.raises(MixedTenants):
        work(FULL, 7)
    with tenant("acme", session_id="s-1"):
        assert work(FULL, 7)[1].fields == {"session_id": "s-1", "ip_address": "192.0.2.7"}


def test_a_generator_is_no_job() -> None:
    def rows() -> Iterator[int]:
        yield 1

    with pytest.raises(TenantError, match="rows is a generator"):
        job(rows)


# Celery

app = celery.Celery("tests", broker="memory://", backend="cache+memory://")
app.Task = adapter.Task
app.conf.update(
    broker_transport_options={"polling_interval": 0.01}, worker_hijack_root_logger=False, result_expires=60,
    broker_connection_retry_on_startup=False,
)  # fmt: skip


def task(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """celery's decorator, with a type."""
    made: Callable[[Callable[..., Any]], Any] = app.task(**options)
    return made


NOBODY = ["nobody", None, None]


def scope_of_now() -> list[str | None]:
    found = current_or_none()
    return [found.tenant, found.actor, found.request_id] if found else list(NOBODY)


@task()
def who(*before: Any) -> list[Any]:
    return [*before, scope_of_now()]


@task(bind=True, max_retries=2, default_retry_delay=0)
def third_time(self: Any) -> Any:
    if self.request.retries < 2:
        raise self.retry()
    return [self.request.retries, scope_of_now()]


@task()
def fails() -> None:
    raise ValueError("on purpose")


@task(needs_tenant=False)
def each_tenant(names: list[str]) -> Any:
    """As beat starts it: one job for each tenant."""
    sent = []
    for name in names:
        with tenant(name):
            sent.append(who.delay().id)
    return [scope_of_now(), sent]


@task(base=celery.Task)
def plain() -> Any:
    return scope_of_now()


failed: list[list[str | None]] = []


@task()
def told(*_: Any) -> None:
    failed.append(scope_of_now())


@pytest.fixture(scope="module")
def worker() -> Iterator[None]:
    with start_worker(app, perform_ping_check=False, pool="threads", concurrency=2, shutdown_timeout=10):
        yield


def result(sent: Any) -> Any:
    return sent.get(timeout=10, interval=0.02)


A, B = ["acme", "u-17", "r-1"], ["globex", None, None]


def acme() -> tenant:
    return tenant("acme", actor="u-17", request_id="r-1")


def everything() -> dict[str, Any]:
    """Each way in which Celery publishes, in the scope of now: what each task saw."""
    sent = {
        "delay": who.delay(),
        "chain": celery.chain(who.s(), who.s(), who.s()).apply_async(),
        "group": celery.group(who.s(1), who.s(2)).apply_async(),
        "chord": celery.chord([who.s(1), who.s(2)], who.s()).apply_async(),
        "retry": third_time.delay(),
        "by name": app.send_task(who.name),
        "map": who.map([1, 2]).apply_async(),
        "chunks": who.chunks([(1,), (2,)], 1).apply_async(),
    }
    broken = fails.apply_async(link_error=told.s())
    seen = {name: result(one) for name, one in sent.items()}
    with pytest.raises(ValueError, match="on purpose"):
        result(broken)
    return seen


@pytest.mark.usefixtures("worker")
def test_every_way_to_publish_keeps_the_scope() -> None:
    failed.clear()
    for opened, own in ((acme(), A), (tenant("globex"), B)):
        with opened:
            seen = everything()
        assert seen == {
            "delay": [own],
            "chain": [[[own], own], own],
            "group": [[1, own], [2, own]],
            "chord": [[[1, own], [2, own]], own],
            "retry": [2, own],
            "by name": [own],
            "map": [[1, own], [2, own]],
            "chunks": [[[1, own]], [[2, own]]],
        }
    assert sorted(failed, key=str) == sorted([A, B], key=str)


@pytest.mark.usefixtures("worker")
def test_outside_of_a_scope_nothing_is_published_and_nothing_is_done() -> None:
    for publish in (who.delay, who.s().apply_async, celery.chain(who.s(), who.s()).apply_async, who.apply):
        with pytest.raises(NoTenant, match=f"task {who.name} is published outside"):
            publish()
    with no_tenant(), pytest.raises(NoTenant, match="outside of a tenant's scope"):
        who.delay()
    none = {"tenantry-version": "1", "tenantry-no-tenant": "true"}
    sent = {
        "carries no tenant scope": app.send_task(who.name),
        "version '2'": app.send_task(who.name, headers={**FULL, "tenantry-version": "2"}),
        "malformed": app.send_task(who.name, headers={**FULL, "tenantry-tenant": ""}),
        "says that there is none": app.send_task(who.name, headers=none),
    }
    for why, one in sent.items():
        with pytest.raises(NoTenant, match=why):
            result(one)


@pytest.mark.usefixtures("worker")
def test_what_serves_no_tenant_publishes_for_each() -> None:
    for _ in range(2):
        own, ids = result(each_tenant.delay(["acme", "globex"]))
        assert own == [None, None, None]
        assert [result(app.AsyncResult(id_))[0][0] for id_ in ids] == ["acme", "globex"]
    with tenant("acme"):
        assert result(each_tenant.delay([]))[0] == [None, None, None]


@pytest.mark.usefixtures("worker")
def test_beat_starts_what_serves_no_tenant_and_nothing_else() -> None:
    beat = Scheduler(app, lazy=True)

    def started(name: str, *args: Any) -> Any:
        entry = ScheduleEntry(name, name, schedule=timedelta(1), args=args, app=app)
        return result(beat.apply_async(entry, advance=False))

    assert started(each_tenant.name, [])[0] == [None, None, None]
    assert started("celery.backend_cleanup") is None  # Celery's own, which beat starts each night
    with pytest.raises(SchedulingError, match="published outside of a tenant's scope"):
        started(who.name)


def test_eager_tasks_and_calls_keep_the_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NoTenant):
        who()
    monkeypatch.setitem(app.conf.changes, "task_always_eager", True)
    with acme():
        assert who() == [A]
        assert who.delay().get() == [A]
        assert celery.chain(who.s(), who.s()).apply_async().get() == [[A], A]
        assert third_time.apply().get() == [2, A]
        assert each_tenant.delay([]).get()[0] == [None, None, None]
        assert current().tenant == "acme"
        with pytest.raises(MixedTenants):
            who.apply(headers={**FULL, "tenantry-tenant": "globex"}).get()
    with pytest.raises(NoTenant):
        who.delay()
    assert current_or_none() is None


def test_a_task_that_is_no_scoped_one_runs_as_before() -> None:
    assert plain.apply().get() == NOBODY


# Deliberately wrong


def not_refused(patch: pytest.MonkeyPatch) -> None:
    """A task runs as it is, with or without a scope."""
    patch.setattr(adapter.Task, "__call__", lambda self, *args, **kwargs: self.run(*args, **kwargs))


def published_bare(patch: pytest.MonkeyPatch) -> None:
    """Messages without the scope."""
    patch.setattr(adapter.Task, "_headers", lambda self, given: dict(given or {}))
    patch.setattr(adapter, "written", lambda scope: {})


@pytest.mark.usefixtures("worker")
def test_a_worker_that_does_not_refuse_turns_red(monkeypatch: pytest.MonkeyPatch) -> None:
    not_refused(monkeypatch)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        test_outside_of_a_scope_nothing_is_published_and_nothing_is_done()


@pytest.mark.usefixtures("worker")
def test_a_scope_of_the_code_of_a_task_alone_loses_the_next_of_a_chain() -> None:
    signals.task_prerun.disconnect(adapter._start)
    try:
        with tenant("acme"), pytest.raises((NoTenant, celery.exceptions.TimeoutError)):
            celery.chain(who.s(), who.s()).apply_async().get(timeout=1, interval=0.02)
    finally:
        signals.task_prerun.connect(adapter._start, weak=False)


@pytest.mark.usefixtures("worker")
def test_a_publisher_that_says_nothing_turns_red(monkeypatch: pytest.MonkeyPatch) -> None:
    published_bare(monkeypatch)
    with pytest.raises(NoTenant):
        test_every_way_to_publish_keeps_the_scope()


def test_headers_that_are_believed_turn_red(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NOT_FIELDS", set())
    with pytest.raises(pytest.fail.Exception):
        test_a_malformed_scope_is_refused({"tenantry-field-switch": "yes"}, "no header")
    monkeypatch.setattr(module, "PREFIX", "other-")
    with pytest.raises(AssertionError):
        test_a_message_of_another_version_is_refused("2")
