"""Reading and keeping: pages that neither skip nor repeat, followers that miss nothing, months that are retired."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel
from typer.testing import CliRunner, Result

from tenantry import cli, introspect, planner, spec
from tenantry.apply import apply
from tenantry.audit import anchors, archive, export, partitions, query, retire, upkeep
from tenantry.audit.source import Live, begin
from tenantry.audit.verify import Report, verify
from tenantry.errors import ApplyError, CatalogError, SpecError, TamperError
from tests import trail
from tests.servers import Database, Server
from tests.trail import TABLE, Trail


@pytest.fixture(scope="module")
def monthly(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trail]:
    """Ten events of January 2020 and four of now, all sealed; its tests work on copies."""
    with server.databases() as make:
        t = trail.make(make(), tmp_path_factory.mktemp("trail"), "monthly")
        t.do(
            "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit_logs FOR EACH STATEMENT"
            " EXECUTE FUNCTION prevent_audit_modification()",
            "CREATE TABLE audit_logs_2020_01 PARTITION OF audit_logs FOR VALUES FROM ('2020-01-01') TO ('2020-02-01')",
        )
        with closing(t.db.connect()) as conn:
            partitions.ahead(conn, TABLE, 1, datetime.now(UTC))
        for n in range(10):
            t.do(
                "INSERT INTO audit_logs (tenant_id, action, resource_type, resource_id, created_at, outcome) VALUES"
                f" ('{'acme' if n % 2 else 'umbrella'}', 'skill.old', 'skill', '{n}', '2020-01-1{n}', 'denied')"
            )
        t.event("acme", "auth.login")
        t.seal()
        for action in ("auth.logout", "skill.create", "skill.create"):
            t.event("acme", action)
        t.seal()
        yield t


@pytest.fixture
def copy(monthly: Trail, server: Server, tmp_path: Path) -> Iterator[Trail]:
    with server.databases() as make:
        t = replace(monthly, db=make(template=monthly.db), anchor=tmp_path / "anchor")
        t.seal()
        yield t


def reader(t: Trail) -> psycopg.Connection[Any]:
    conn = t.db.connect()
    conn.isolation_level = IsolationLevel.REPEATABLE_READ
    return conn


def check(t: Trail) -> Report:
    with closing(reader(t)) as conn, conn.transaction():
        begin(conn)
        return verify(Live(conn, TABLE), [t.key.public], anchors.read(t.anchor))


def archived(t: Trail, directory: Path, **options: Any) -> Path:
    with closing(reader(t)) as conn:
        export.export(conn, TABLE, directory, **options)
    return directory


def gone(t: Trail, directory: Path, name: str = "audit_logs_2020_01") -> retire.Retirement:
    return retire.retire(t.db.dsn, TABLE, t.key, name, directory, [t.key.public], [anchors.File(t.anchor)])


# Retiring


def test_a_month_is_retired_and_the_rest_verifies(copy: Trail, tmp_path: Path) -> None:
    directory = archived(copy, tmp_path / "archive")
    done = gone(copy, directory)
    assert (done.partition, done.events) == ("public.audit_logs_2020_01", 10)
    assert copy.ask("SELECT to_regclass('audit_logs_2020_01')") is None
    assert copy.ask("SELECT count(*) FROM audit_logs WHERE action = 'audit.retire'") == 1
    copy.event("acme")
    copy.seal()
    report = check(copy)
    assert [f for f in report.findings if f.level != "note"] == []
    assert (report.archived, report.events) == (10, 6)
    assert any("audit_logs_2020_01 was retired with 10 events" in f.message for f in report.findings)
    offline = verify(archive.open_export(directory), [copy.key.public])
    assert (offline.findings[:1] and offline.findings[0].level, offline.events) == ("note", 14)
    later = verify(archive.open_export(archived(copy, tmp_path / "later")), [copy.key.public])
    assert later.good
    assert (later.archived, later.events) == (10, 6)


def test_the_list_of_what_was_retired_cannot_be_lengthened(copy: Trail, tmp_path: Path) -> None:
    gone(copy, archived(copy, tmp_path / "archive"))
    event = copy.ask("SELECT id::text FROM audit_logs WHERE action = 'auth.logout'")
    batch, place = copy.ask(
        f"SELECT ARRAY[batch, place] FROM tenantry_audit.subtrees WHERE keys @> ARRAY['{event}']"
    )
    copy.unguarded(
        f"DELETE FROM audit_logs WHERE id = '{event}'",
        f"INSERT INTO tenantry_audit.retired SELECT max(record), {batch}, {place}, '{{0}}' FROM tenantry_audit.retired",
    )
    report = check(copy)
    assert "the list of retired events is not the signed one" in {
        f.message for f in report.findings if f.level == "error"
    }


def test_nothing_is_dropped_without_a_good_archive(copy: Trail, tmp_path: Path) -> None:
    whole = archived(copy, tmp_path / "whole")
    part = archived(copy, tmp_path / "part", first=3)
    with pytest.raises(SpecError, match="10 events of it are not in"):
        gone(copy, part)
    with pytest.raises(SpecError, match="cannot be read"):
        gone(copy, tmp_path / "none")
    (file, *_) = sorted(whole.glob("events-*"))
    kept = file.read_bytes()
    file.write_bytes(kept[:-1] + b"x")
    with pytest.raises(TamperError, match="not the file that the manifest names"):
        gone(copy, whole)
    file.write_bytes(kept)
    copy.do("INSERT INTO audit_logs (tenant_id, action, created_at) VALUES ('acme', 'late', '2020-01-02')")
    with pytest.raises(SpecError, match="1 events of it are not sealed yet"):
        gone(copy, whole)
    copy.seal()
    with pytest.raises(SpecError, match="1 events of it are not in"):
        gone(copy, whole)
    with closing(copy.db.connect(autocommit=False)) as user:
        user.execute("SELECT count(*) FROM audit_logs")
        archived(copy, whole)
        with pytest.raises(ApplyError, match="is in use"):
            gone(copy, whole)
    for name, words in (
        ("audit_logs", "is no partition"),
        ("nothing", "no such table"),
        ("pg_catalog.pg_class", "is no partition"),
    ):
        with pytest.raises(SpecError, match=words):
            gone(copy, whole, name)
    assert copy.ask("SELECT count(*) FROM audit_logs_2020_01") == 11


def test_partitions_are_made_ahead_and_guarded(monthly: Trail, db: Database, tmp_path: Path) -> None:
    t = trail.make(db, tmp_path, "monthly")
    with closing(t.db.connect()) as conn:
        at = datetime(2026, 11, 30, 23, tzinfo=UTC)
        made = partitions.ahead(conn, TABLE, 2, at)
        assert made == ("audit_logs_2026_11", "audit_logs_2026_12", "audit_logs_2027_01")
        assert partitions.ahead(conn, TABLE, 2, at) == ()
        conn.execute("DROP TABLE audit_logs_2026_12")
        conn.execute(
            "CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'watched'; END$$"
        )
        conn.execute("CREATE EVENT TRIGGER audit_guard_ddl ON ddl_command_end EXECUTE FUNCTION watch()")
        conn.execute("ALTER EVENT TRIGGER audit_guard_ddl ENABLE ALWAYS")
        assert partitions.ahead(conn, TABLE, 2, at) == ("audit_logs_2026_12",)
        with pytest.raises(psycopg.errors.RaiseException, match="watched"):  # it is on again
            conn.execute("CREATE TABLE other ()")
        conn.execute("DROP EVENT TRIGGER audit_guard_ddl")
        conn.execute("CREATE TABLE audit_logs_rest PARTITION OF audit_logs DEFAULT")
        conn.execute("INSERT INTO audit_logs (action, created_at) VALUES ('x', '2027-02-28 23:59:59+00')")
        with pytest.raises(ApplyError, match="audit_logs_2027_02: cannot be made"):
            partitions.ahead(conn, TABLE, 3, at)
    for table in ("audit_logs_2027_01", "audit_logs"):
        t.do(f"ALTER TABLE {table} DISABLE TRIGGER USER")  # the control of what follows
        t.do(f"TRUNCATE {table}")
    month = f"audit_logs_{datetime.now(UTC):%Y_%m}"
    for verb in (
        f"TRUNCATE {month}",
        f"DELETE FROM {month}",
        f"SET session_replication_role = replica; TRUNCATE {month}",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="is forbidden"):
            monthly.do(*verb.split("; "))
    t.do("DROP TABLE audit_logs", trail.KINDS["counting"])
    with (
        closing(t.db.connect()) as conn,
        pytest.raises(CatalogError, match="is not partitioned; months need"),
    ):
        partitions.ahead(conn, TABLE, 1, at)


def test_a_backdated_event_is_an_error_until_somebody_accepts_it(copy: Trail) -> None:
    copy.do("INSERT INTO audit_logs (tenant_id, action, created_at) VALUES ('acme', 'late', '2020-01-02')")
    copy.seal()
    assert {f.kind for f in check(copy).findings if f.level == "error"} == {"backdated"}
    upkeep.accept(copy.db.dsn, TABLE, copy.key, "an import of the paper log")
    report = check(copy)
    assert report.good
    assert "backdated" in {f.kind for f in report.findings}
    copy.do("INSERT INTO audit_logs (tenant_id, action, created_at) VALUES ('acme', 'late', '2020-01-02')")
    copy.seal()
    assert not check(copy).good


# Erasing


def test_a_persons_data_are_erased_and_everything_verifies(db: Database, tmp_path: Path) -> None:
    db_role = db.role
    declared = spec.parse(
        f"""
        [tenancy]
        default = {{ id = "acme", name = "Acme", slug = "acme" }}
        [roles]
        app = "{db_role("app")}"
        [audit]
        events = "extended"
        owner = "{db_role("owner")}"
        reader = "{db_role("reader")}"
        [tables.notes]
        scope = "tenant"
        backfill = {{ constant = "acme" }}
        """
    )
    with closing(db.connect()) as conn:
        conn.execute("CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)")
        plan = planner.plan(declared, introspect.read(conn), "transactional")
    apply(db.dsn, plan)
    keys_at = tmp_path / "keys"
    keys_at.mkdir()
    t = Trail(db, trail.key(keys_at), tmp_path / "anchor")
    with closing(db.connect()) as conn, conn.transaction():
        conn.execute("SELECT set_config('app.current_tenant_id', 'acme', true)")
        conn.execute(
            "SELECT audit.log('user.invite', personal => '{\"mail\": \"ann@example.com\"}', subject => 'ann')"
        )
    t.seal()
    assert check(t).findings == ()
    assert t.ask("SELECT count(*) FROM audit.personal") == 1
    assert t.ask("SELECT audit.erase('ann')") == 1
    t.seal()
    report = check(t)
    assert report.findings == ()
    assert report.events == 2
    assert t.ask("SELECT count(*) FROM audit.personal") == 0
    assert t.ask("SELECT count(*) FROM audit_logs WHERE action = 'audit.erase'") == 1
    assert "ann@example.com" not in t.ask("SELECT string_agg(l::text, '') FROM audit_logs AS l")


# Reading


def pages(t: Trail, wanted: query.Filter, most: int) -> list[list[str | None]]:
    found, after = [], None
    with closing(reader(t)) as conn:
        while True:
            page = query.query(conn, TABLE, wanted, most, after)
            assert page.recorded
            found.append([row[page.columns.index("resource_id")] for row in page.rows])
            after = page.after
            if after is None:
                return found


def test_pages_neither_skip_nor_repeat(copy: Trail) -> None:
    old = query.Filter(action="skill.old")
    assert pages(copy, old, 4) == [["9", "8", "7", "6"], ["5", "4", "3", "2"], ["1", "0"]]
    assert pages(copy, old, 10) == [[str(n) for n in range(9, -1, -1)]]
    assert copy.ask("SELECT count(*) FROM audit_logs WHERE action = 'audit.read'") == 4
    assert (
        copy.ask("SELECT metadata->>'action' FROM audit_logs WHERE action = 'audit.read' LIMIT 1")
        == "skill.old"
    )


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"tenant": "umbrella"}, 5),
        ({"actor": "ann"}, 4),
        ({"action": "auth.*"}, 2),
        ({"action": "auth"}, 0),
        ({"resource_type": "skill", "resource_id": "3"}, 1),
        ({"outcome": "denied", "tenant": "acme"}, 5),
        ({"since": datetime(2020, 1, 12, tzinfo=UTC), "until": datetime(2020, 1, 15, tzinfo=UTC)}, 3),
    ],
)
def test_filters(monthly: Trail, wanted: dict[str, Any], count: int) -> None:
    with closing(reader(monthly)) as conn, conn.transaction(force_rollback=True):
        assert len(query.query(conn, TABLE, query.Filter(**wanted)).rows) == count


def test_a_look_up_that_cannot_be(copy: Trail, db: Database, tmp_path: Path) -> None:
    plain = trail.make(db, tmp_path, "plain")
    with closing(reader(plain)) as conn:
        with pytest.raises(SpecError, match="has no column outcome to look for outcome in"):
            query.query(conn, TABLE, query.Filter(outcome="denied"))
        with pytest.raises(SpecError, match="not the end of a page"):
            query.query(conn, TABLE, query.Filter(), after="x")
        conn.execute("SET default_transaction_read_only = on")
        assert not query.query(conn, TABLE, query.Filter()).recorded


# The command line


def run(t: Trail, *arguments: str) -> Result:
    return CliRunner().invoke(
        cli.app, ["audit", *arguments], prog_name="tenantry", env={"TENANTRY_DSN": t.db.dsn}
    )


def test_the_verbs(monthly: Trail, copy: Trail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(copy, "query", "--outcome", "denied", "--tenant", "acme", "--most", "1")
    assert found.stdout.startswith("2020-01-19 00:00:00  acme              -                 skill.old")
    token = found.stdout.split("--after ")[1].strip()
    document = json.loads(
        run(
            copy, "query", "--outcome", "denied", "--tenant", "acme", "--after", token, "--format", "json"
        ).stdout
    )
    assert [event["resource_id"] for event in document["events"]] == ["7", "5", "3", "1"]
    assert run(copy, "query", "--resource", "skill:3", "--format", "csv").stdout.count("\n") == 2
    assert "no more events" in run(copy, "query", "--since", "2020-01-01", "--until", "2020-01-02").stdout
    assert run(copy, "query", "--since", "soon").exit_code == 2
    first = run(copy, "tail", "--cursor", "cursor").stdout.splitlines()
    with closing(copy.db.connect(autocommit=False)) as slow:
        late = copy.event("acme", conn=slow)
        copy.seal()
        second = run(copy, "tail", "--cursor", "cursor").stdout.splitlines()
        assert not any(late in line for line in second)
        slow.commit()
    copy.seal()
    third = run(copy, "tail", "--cursor", "cursor").stdout.splitlines()
    assert [json.loads(line)["id"] for line in third] == [late]
    seen = [json.loads(line)["id"] for line in [*first, *second, *third]]
    assert sorted(seen) == sorted(copy.written())
    assert run(copy, "partitions", "--ahead", "1").stdout == "All are there.\n"
    archived(copy, tmp_path / "archive")
    private = str(monthly.anchor.with_name("seal.key"))
    done = run(
        copy, "retire", "audit_logs_2020_01", "archive", "--key", private, "--anchor", str(copy.anchor)
    )
    assert done.stdout.startswith("public.audit_logs_2020_01 is retired with 10 events, record "), done.output
