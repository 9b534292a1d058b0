"""Django as a project uses it: its own commands, its test cases, the middleware among others."""

from __future__ import annotations

import asyncio
import unittest
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tenantry.errors import NoTenant
from tenantry.runtime import current, current_or_none, no_tenant, tenant
from tenantry.runtime.request import Known, Named, PathPrefix
from tests import runtime_adapters as adapters
from tests import runtime_django
from tests.runtime_scenarios import A, B
from tests.servers import Database, Server
from tests.test_runtime_django import Note, bodies, bound_dsn, default

runtime_django.configure()

from django.conf import settings  # type: ignore[import-untyped]  # noqa: E402
from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]  # noqa: E402
from django.core.management import CommandError, call_command  # type: ignore[import-untyped]  # noqa: E402
from django.db import IntegrityError, connections, transaction  # type: ignore[import-untyped]  # noqa: E402
from django.db.migrations.recorder import MigrationRecorder  # type: ignore[import-untyped]  # noqa: E402
from django.http import HttpResponse  # type: ignore[import-untyped]  # noqa: E402
from django.test import AsyncRequestFactory, RequestFactory, TestCase, override_settings  # type: ignore[import-untyped]  # noqa: E402
from django.urls import get_script_prefix  # type: ignore[import-untyped]  # noqa: E402

from tenantry.runtime.django.middleware import ActorMiddleware, TenantMiddleware  # noqa: E402


@pytest.fixture(scope="module")
def database(server: Server) -> Iterator[Database]:
    with server.databases() as make:
        db = make()
        with db.connect() as connection:
            adapters.convert(connection, db.role("app"))
            connection.execute(
                "CREATE TABLE django_migrations (id int, app text, name text, applied timestamptz)"
            )
            connection.execute("INSERT INTO django_migrations VALUES (1, 'notes', '0001_initial', now())")
            connection.execute(f"GRANT SELECT ON django_migrations TO {db.role('app')}".encode())
        yield db


@pytest.fixture
def db(database: Database) -> Iterator[Any]:
    yield from default(bound_dsn(database))


# What Django asks for itself


def test_the_catalog_and_the_list_of_migrations_need_no_scope(db: Any) -> None:
    names = db.introspection.table_names()
    assert {"notes", "django_migrations"} <= set(names)
    with db.cursor() as cursor:
        assert "body" in [c.name for c in db.introspection.get_table_description(cursor, "notes")]
        assert db.introspection.get_constraints(cursor, "notes")
        assert db.introspection.get_relations(cursor, "notes") == {}
        assert [s["name"] for s in db.introspection.get_sequences(cursor, "notes")] == ["notes_id_seq"]
    assert list(MigrationRecorder(db).applied_migrations()) == [("notes", "0001_initial")]
    with tenant("a"), transaction.atomic():
        assert bodies() == A
        assert list(MigrationRecorder(db).applied_migrations()) == [("notes", "0001_initial")]
        assert bodies() == A
    with pytest.raises(NoTenant), db.cursor() as cursor:
        cursor.execute('SELECT "django_migrations"."id" FROM "django_migrations", notes')
    with pytest.raises(NoTenant):
        MigrationRecorder(db).record_applied("notes", "0002")


def test_migrations_are_for_the_owner(db: Any) -> None:
    with pytest.raises(CommandError, match="migrate --database"):
        call_command("migrate", verbosity=0)


# Test cases: one transaction, several tenants


def run(case: type[Any]) -> unittest.TestResult:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert [text for _, text in (*result.errors, *result.failures)] == []
    return result


def test_a_test_case_is_one_transaction_of_several_tenants(db: Any) -> None:
    class Notes(TestCase):  # type: ignore[misc]
        @classmethod
        def setUpTestData(cls) -> None:
            with tenant("a"):
                Note.objects.create(tenant_id="a", body="a3")
            with tenant("b"):
                Note.objects.create(tenant_id="b", body="b9")

        def test_each_sees_its_own(self) -> None:
            for name, own in (("a", [*A, "a3"]), ("b", [*B, "b9"]), ("a", [*A, "a3"])):
                with tenant(name):
                    assert bodies() == own
            with no_tenant():
                assert bodies() == []
            with tenant("b"), self.assertRaisesMessage(Exception, "row-level security"), transaction.atomic():
                Note.objects.create(tenant_id="a", body="x")

        def test_outside_of_a_scope_it_raises(self) -> None:
            with pytest.raises(NoTenant):
                bodies()
            with pytest.raises(NoTenant), db.cursor() as cursor:
                cursor.execute("SELECT 1")

        def test_a_savepoint_takes_the_tenant_of_the_moment_back_with_it(self) -> None:
            def fail() -> None:
                with transaction.atomic():
                    with tenant("b", switch=True):
                        assert bodies() == [*B, "b9"]
                    Note.objects.create(tenant_id="a", body="a3")

            with tenant("a"):
                with pytest.raises(IntegrityError):
                    fail()
                assert bodies() == [*A, "a3"]
                assert Note.objects.filter(body="a3").update(body="changed") == 1
                assert bodies() == [*A, "changed"]

        def test_what_another_test_did_is_undone(self) -> None:
            with tenant("a"):
                assert bodies() == [*A, "a3"]
                assert [n.body for n in Note.objects.order_by("body").iterator(chunk_size=1)] == [*A, "a3"]

    assert run(Notes).testsRun == 4
    with tenant("a"):
        assert bodies() == A


def test_outside_of_test_cases_a_transaction_stays_with_its_tenant(db: Any) -> None:
    with tenant("a"), transaction.atomic():
        assert bodies() == A
        with tenant("b", switch=True), pytest.raises(Exception, match="belongs to tenant 'a'"):
            bodies()


def test_the_owner_makes_the_test_database(
    database: Database, db: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"TENANTRY\['OWNER'\]"):
        db.creation.create_test_db(verbosity=0)
    before = connections.settings["default"]["NAME"]
    connections.settings["owner"] = runtime_django.options(
        database.dsn, ENGINE="django.db.backends.postgresql"
    )
    for alias in ("default", "owner"):
        monkeypatch.setitem(settings.DATABASES, alias, connections.settings[alias])
    owner = connections["owner"] = connections.create_connection("owner")
    try:
        with override_settings(TENANTRY={"OWNER": "owner"}):
            assert db.creation.test_db_signature() == owner.creation.test_db_signature()
            name = db.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
            try:
                assert name == f"test_{before}" == db.settings_dict["NAME"] == owner.settings_dict["NAME"]
                for connection in (owner, db):
                    with no_tenant(), connection.cursor() as cursor:
                        cursor.execute("SELECT current_database()")
                        assert cursor.fetchone() == (name,)
            finally:
                db.creation.destroy_test_db(before, verbosity=0)
            assert db.settings_dict["NAME"] == owner.settings_dict["NAME"] == before
    finally:
        owner.close()
        del connections.settings["owner"], connections["owner"]
    with psycopg.connect(database.dsn) as conn:
        assert conn.execute("SELECT FROM pg_database WHERE datname = %s", [f"test_{before}"]).fetchall() == []


# The middleware


class User:
    def __init__(self, pk: int | None) -> None:
        self.pk, self.is_authenticated = pk, pk is not None


def lookup(said: Named) -> Known | None:
    return {"a": Known("a")}.get(said.value)


@pytest.mark.parametrize(("pk", "actor"), [(7, "7"), (None, None)])
def test_the_actor_is_the_user_that_authentication_found(pk: int | None, actor: str | None) -> None:
    def view(request: Any) -> Any:
        scope = current()
        return HttpResponse(f"{scope.tenant} {scope.actor} {scope.request_id is not None}")

    async def async_view(request: Any) -> Any:
        return view(request)

    request = RequestFactory().get("/")
    request.user = User(pk)
    later = AsyncRequestFactory().get("/")
    later.user = User(pk)
    with tenant("a", request_id="r"):
        assert ActorMiddleware(view)(request).content.decode() == f"a {actor} True"
        found = asyncio.run(ActorMiddleware(async_view)(later))
        assert found.content.decode() == f"a {actor} True"
    with no_tenant():
        assert ActorMiddleware(view)(request).content.decode() == "None None False"
    assert ActorMiddleware(lambda request: HttpResponse(str(current_or_none())))(request).content == b"None"


def test_a_path_prefix_is_mounted() -> None:
    def view(request: Any) -> Any:
        return HttpResponse(
            f"{request.path_info} {request.path} {get_script_prefix()} {request.META['SCRIPT_NAME']}"
        )

    async def async_view(request: Any) -> Any:
        return view(request)

    with override_settings(TENANTRY={"SOURCES": [PathPrefix("/t")], "LOOKUP": lookup}):
        for path, seen in (("/t/a/skills/1", "/skills/1"), ("/t/a", "/")):
            answer = f"{seen} {path} /t/a/ /t/a"
            assert TenantMiddleware(view)(RequestFactory().get(path)).content.decode() == answer
            found = asyncio.run(TenantMiddleware(async_view)(AsyncRequestFactory().get(path)))
            assert found.content.decode() == answer
            assert get_script_prefix() == "/"
        assert TenantMiddleware(view)(RequestFactory().get("/t/none/x")).status_code == 404
