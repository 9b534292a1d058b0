"""Django: what the conformance suite does not ask. Autocommit, models, the middleware, checks and the operation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from tenantry import introspect, planner, spec
from tenantry.errors import ExemptRole, MixedTenants, NoTenant, TenantError
from tenantry.runtime import current, current_or_none, no_tenant, tenant
from tenantry.runtime.isolation import Tenancy, isolate
from tenantry.runtime.request import Header, Known, Named, Session
from tests import runtime_adapters as adapters
from tests import runtime_django
from tests.runtime_scenarios import READ, A, B
from tests.servers import Database, MakeDatabase, Server

runtime_django.configure()

from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]  # noqa: E402
from django.db import IntegrityError, connections, models, transaction  # type: ignore[import-untyped]  # noqa: E402
from django.db.migrations.operations import CreateModel  # type: ignore[import-untyped]  # noqa: E402
from django.db.migrations.state import ProjectState  # type: ignore[import-untyped]  # noqa: E402
from django.http import HttpResponse, StreamingHttpResponse  # type: ignore[import-untyped]  # noqa: E402
from django.test import AsyncRequestFactory, RequestFactory, override_settings  # type: ignore[import-untyped]  # noqa: E402

from tenantry.runtime.django import checks  # noqa: E402
from tenantry.runtime.django.middleware import TenantMiddleware  # noqa: E402
from tenantry.runtime.django.operations import AddTenancy  # noqa: E402


class Note(models.Model):  # type: ignore[misc]
    tenant_id = models.TextField()
    body = models.TextField()

    class Meta:
        app_label = "notes"
        db_table = "notes"
        managed = False


@pytest.fixture(scope="module")
def database(server: Server) -> Iterator[Database]:
    with server.databases() as make:
        db = make()
        with db.connect() as connection:
            adapters.convert(connection, db.role("app"))
        yield db


@pytest.fixture
def dsn(database: Database) -> str:
    return bound_dsn(database)


def bound_dsn(database: Database) -> str:
    """The application's DSN, with the rows that a test begins with."""
    with database.connect() as connection:
        for statement in adapters.FRESH:
            connection.execute(statement.encode())
    return re.sub(r"//[^/@]*@?/", f"//{quote(database.role('app'))}@/", database.dsn, count=1)


@pytest.fixture
def db(dsn: str) -> Iterator[Any]:
    """The default database, on that DSN, in autocommit mode as Django has it."""
    yield from default(dsn)


def default(dsn: str, **more: Any) -> Iterator[Any]:
    before = connections.settings["default"]
    connections.settings["default"] = runtime_django.options(dsn, **more)
    connections["default"] = made = connections.create_connection("default")
    try:
        yield made
    finally:
        made.close()
        made.close_pool()
        connections.settings["default"] = before
        del connections["default"]


def bodies() -> list[str]:
    return list(Note.objects.order_by("body").values_list("body", flat=True))


def test_a_lone_statement_is_bound(db: Any) -> None:
    assert db.get_autocommit()
    for name, own in (("a", A), ("b", B), ("a", A)):
        with tenant(name):
            assert bodies() == own
            assert Note.objects.update(body=models.F("body")) == len(own)
            with pytest.raises(IntegrityError, match="notes_tenant_id_body_key"):
                Note.objects.create(tenant_id=name, body=own[0])
            assert bodies() == own  # nothing stayed open
    with pytest.raises(NoTenant):
        bodies()
    with no_tenant():
        assert bodies() == []


def test_a_lone_write_is_kept(db: Any) -> None:
    with tenant("a"):
        Note.objects.create(tenant_id="a", body="a3")
    with tenant("b"), pytest.raises(Exception, match="row-level security"):
        Note.objects.create(tenant_id="a", body="x")
    db.close()
    with tenant("a"):
        assert bodies() == [*A, "a3"]


def test_atomic_and_what_it_nests(db: Any) -> None:
    done: list[str | None] = []
    with tenant("a"), transaction.atomic():
        Note.objects.create(tenant_id="a", body="a3")
        with pytest.raises(IntegrityError), transaction.atomic():
            Note.objects.create(tenant_id="a", body="a3")
        transaction.on_commit(lambda: done.append(current().tenant))
        assert bodies() == [*A, "a3"]
        with tenant("b", switch=True), pytest.raises(MixedTenants):
            bodies()
    assert done == ["a"]

    def fail() -> None:
        with tenant("a"), transaction.atomic():
            Note.objects.create(tenant_id="a", body="a4")
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fail()
    with tenant("a"):
        assert bodies() == [*A, "a3"]


def test_an_iterator_holds_rows_of_one_tenant(db: Any) -> None:
    with tenant("b"):
        found = Note.objects.order_by("body").iterator(chunk_size=1)
        first = next(found)
    assert first.body == "b1"
    with tenant("a"), pytest.raises(MixedTenants):
        next(found)
    with tenant("b"):
        assert [n.body for n in Note.objects.order_by("body").iterator(chunk_size=1)] == B


def test_a_lazy_queryset_runs_where_it_is_read(db: Any) -> None:
    with tenant("a"):
        lazy = Note.objects.order_by("body")
    with pytest.raises(NoTenant):
        list(lazy)
    with tenant("b"):
        assert [note.body for note in lazy] == B


def test_what_goes_to_the_driver_itself_raises_in_autocommit(db: Any) -> None:
    with tenant("a"):
        assert bodies() == A
        with pytest.raises(TenantError, match="autocommit mode"):
            db.connection.execute(READ)
        with pytest.raises(TenantError, match="autocommit mode"), db.cursor() as cursor:
            cursor.copy(f"COPY ({READ}) TO STDOUT").__enter__()
        with transaction.atomic():
            assert [b for (b,) in db.connection.execute(READ)] == A


def test_health_checks_and_reconnects_need_no_scope(dsn: str) -> None:
    for made in default(dsn, CONN_HEALTH_CHECKS=True, CONN_MAX_AGE=None, OPTIONS={"assume_role": None}):
        with tenant("a"):
            assert bodies() == A
        made.close_if_unusable_or_obsolete()
        made.health_check_done = False
        with tenant("b"):
            assert bodies() == B


def test_an_exempt_role_is_refused(database: Database) -> None:
    for made in default(database.dsn):
        with pytest.raises(ExemptRole, match="is a superuser"), tenant("a"):
            bodies()
        assert [e.id for e in checks.check_roles(databases=["default"])] == ["tenantry.E004"]
        assert checks.check_roles(databases=[]) == []
        assert made.connection is None
    for _ in default(database.dsn, OPTIONS={"tenantry": {"guard": False}}):
        with tenant("a"):
            assert len(bodies()) == 5  # a superuser sees all


def test_an_unknown_option_is_refused(dsn: str) -> None:
    with pytest.raises(
        ImproperlyConfigured, match="no such key guards; there are setting, unscoped, signer, guard"
    ):
        runtime_django.wrapper(dsn, OPTIONS={"tenantry": {"guards": False}})


# The middleware


def lookup(said: Named) -> Known | None:
    assert current().tenant is None
    return {"a": Known("a"), "b": Known("b"), "gone": Known("gone", active=False)}.get(said.value)


TENANTRY = {
    "SOURCES": [Header("X-Tenant"), Session()], "LOOKUP": f"{__name__}.lookup", "OPEN_PATHS": ["/health"],
    "ACTOR": lambda request: "u1",
}  # fmt: skip


@pytest.fixture
def settings() -> Iterator[None]:
    with override_settings(TENANTRY={**TENANTRY, "LOOKUP": lookup}):
        yield


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("path", "headers", "session", "answer"),
    [
        ("/", {"X-Tenant": "a"}, {}, (200, "a u1")),
        ("/", {}, {"tenant_id": "b"}, (200, "b u1")),
        ("/", {"X-Tenant": "a"}, {"tenant_id": "b"}, (400, "this request names two tenants\n")),
        ("/", {"X-Tenant": ""}, {}, (400, "this request names no possible tenant\n")),
        ("/", {"X-Tenant": "c"}, {}, (404, "no such tenant\n")),
        ("/", {}, {}, (404, "no such tenant\n")),
        ("/", {"X-Tenant": "gone"}, {}, (403, "this tenant is suspended\n")),
        ("/health", {}, {}, (200, "None None")),
    ],
)
def test_the_middleware(path: str, headers: dict[str, str], session: Any, answer: tuple[int, str]) -> None:
    def view(request: Any) -> Any:
        return HttpResponse(f"{current().tenant} {current().actor}")

    async def async_view(request: Any) -> Any:
        return view(request)

    request = RequestFactory().get(path, headers=headers)
    request.session = session
    found = TenantMiddleware(view)(request)
    assert (found.status_code, found.content.decode()) == answer
    later = AsyncRequestFactory().get(path, headers=headers)
    later.session = session
    found = asyncio.run(TenantMiddleware(async_view)(later))
    assert (found.status_code, found.content.decode()) == answer
    assert current_or_none() is None


@pytest.mark.usefixtures("settings")
def test_the_middleware_keeps_the_scope_for_a_stream() -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(2):
            yield str(current().tenant).encode()

    async def async_parts() -> AsyncIterator[bytes]:
        for part in parts():
            yield part

    async def async_view(request: Any) -> Any:
        return StreamingHttpResponse(async_parts())

    async def read(request: Any) -> bytes:
        response = await TenantMiddleware(async_view)(request)
        assert current_or_none() is None
        return b"".join([part async for part in response.streaming_content])

    one, two = (
        TenantMiddleware(lambda request: StreamingHttpResponse(parts()))(
            RequestFactory().get("/", headers={"X-Tenant": name})
        ).streaming_content
        for name in "ab"
    )
    assert [next(one), next(two), next(one), next(two)] == [b"a", b"b", b"a", b"b"]
    assert current_or_none() is None
    assert asyncio.run(read(AsyncRequestFactory().get("/", headers={"X-Tenant": "b"}))) == b"bb"


# System checks


def found(**changes: Any) -> set[str]:
    before = connections.settings["default"]
    connections.settings["default"] = runtime_django.options("dbname=x") | changes
    connections["default"] = connections.create_connection("default")
    try:
        return {message.id for message in checks.check_databases()}
    finally:
        connections.settings["default"] = before
        del connections["default"]


def test_the_system_checks() -> None:
    good = {"ATOMIC_REQUESTS": True}
    with override_settings(MIDDLEWARE=[checks._MIDDLEWARE]):
        assert found(**good) == set()
        assert found(ATOMIC_REQUESTS=False) == {"tenantry.W002"}
        assert found(ENGINE="django.db.backends.postgresql") == {"tenantry.E002"}
        assert found(**good, CONN_MAX_AGE=60, OPTIONS={"prepare_threshold": 5}) == {"tenantry.W003"}
        pool = {"pool": {"connection_class": psycopg.Connection}}
        assert found(**good, OPTIONS=pool) == {"tenantry.E003"}
        with override_settings(TENANTRY={"DATABASES": ["other"]}):
            assert found(**good) == {"tenantry.E001"}
    assert found(**good) == {"tenantry.W001"}


# Migrations


SPEC = """
[tenancy]
type = "{type}"

[tables.shelves]
scope = "tenant"
primary_key = "global"
"""
TENANTS = (
    "CREATE TABLE tenants (id {type} CONSTRAINT tenants_pkey PRIMARY KEY CONSTRAINT tenants_id_not_empty CHECK ({check}), "
    "name text NOT NULL, slug text NOT NULL UNIQUE)"
)


def _left(conn: psycopg.Connection[Any], type_: str, app: str) -> list[str]:
    declared = spec.parse(SPEC.format(type=type_))
    declared = declared.model_copy(update={"roles": declared.roles.model_copy(update={"app": app})})
    return [s.id for s in planner.plan(declared, introspect.read(conn), "transactional") if "shelves" in s.id]


@pytest.mark.parametrize("foreign", [True, False])
def test_a_new_model_becomes_a_tenant_table(make_db: MakeDatabase, foreign: bool) -> None:
    db = make_db()
    app = db.role("app")
    with db.connect() as conn:
        conn.execute(f'CREATE ROLE "{app}" LOGIN'.encode())
        conn.execute(TENANTS.format(type="text", check="id <> ''").encode())
    column: Any = models.TextField()
    if foreign:
        column = models.ForeignKey("shop.Tenant", models.CASCADE, db_column="tenant_id")
    tenants = CreateModel(
        "Tenant", [("id", models.TextField(primary_key=True))], {"db_table": "tenants", "managed": False}
    )
    shelf = CreateModel(
        "Shelf",
        [("id", models.BigAutoField(primary_key=True)), ("tenant" if foreign else "tenant_id", column)],
        {"db_table": "shelves"},
    )
    isolated = AddTenancy("Shelf", Tenancy(app=app))
    assert isolated.deconstruct() == ("AddTenancy", [], {"model_name": "Shelf", "tenancy": Tenancy(app=app)})
    # Migrations are run by the owner, on Django's own engine.
    for owner in default(db.dsn, ENGINE="django.db.backends.postgresql"):
        states = [ProjectState()]
        tenants.state_forwards("shop", states[0])
        for operation in (shelf, isolated):
            after = states[-1].clone()
            operation.state_forwards("shop", after)
            with owner.schema_editor() as editor:
                operation.database_forwards("shop", editor, states[-1], after)
            states.append(after)
        with db.connect() as conn:
            assert _left(conn, "text", app) == []
        with owner.schema_editor() as editor:
            isolated.database_backwards("shop", editor, states[2], states[1])
        with db.connect() as conn:
            left = _left(conn, "text", app)
            assert {"harden.shelves.grants", "enforce.shelves.isolate"} <= set(left)


@pytest.mark.parametrize(
    ("type_", "check"), [("uuid", "id IS NOT NULL"), ("bigint", "id > 0"), ("text", "id <> ''")]
)
def test_the_statements_leave_nothing_to_plan(make_db: MakeDatabase, type_: str, check: str) -> None:
    db = make_db()
    app = db.role("app")
    with db.connect() as conn:
        conn.execute(f'CREATE ROLE "{app}" LOGIN'.encode())
        conn.execute(TENANTS.format(type=type_, check=check).encode())
        conn.execute(
            f"CREATE TABLE shelves (id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT shelves_pkey PRIMARY KEY, tenant_id {type_})".encode()
        )
        for statement in isolate("shelves", Tenancy(type=type_, app=app)):
            conn.execute(statement.encode())
        assert _left(conn, type_, app) == []


def test_a_model_without_the_column_is_refused() -> None:
    state = ProjectState()
    CreateModel("Shelf", [("id", models.BigAutoField(primary_key=True))]).state_forwards("shop", state)
    with pytest.raises(TenantError, match="model Shelf: has no column tenant_id"):
        AddTenancy("Shelf").database_forwards("shop", None, state, state)
