"""Alembic revisions, run by the real Alembic in projects as `alembic init` makes them."""

import dataclasses
import itertools
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

from tenantry.errors import PlanError
from tenantry.plan import Phase, Plan, Profile
from tenantry.render import File, alembic
from tests import reference, sample_plans
from tests.migrators import (
    EnvStyle,
    MigratorError,
    alembic_heads,
    alembic_project,
    run_alembic,
    write,
)
from tests.sample_plans import BEFORE, apply_directly, change, plan, state
from tests.servers import Database, MakeDatabase

BASE = (BEFORE, "CREATE TABLE later (id int)")
STYLES: tuple[EnvStyle, ...] = ("transactional", "per-migration")
PLANS = [
    pytest.param(sample_plans.whole(), id="transactional"),
    pytest.param(sample_plans.online(), id="online"),
]


def render(
    steps: Plan, heads: tuple[str, ...] = ("base2",), existing: Mapping[str, str] | None = None
) -> tuple[File, ...]:
    return alembic.render(
        steps, column="tenant_id", audit_table="trail", heads=heads, existing=existing or {}
    )


def public_state(db: Database, *, rows: bool = True) -> list[tuple[Any, ...]]:
    with db.connect() as connection:
        return [row for row in state(connection) if rows or row[0] != "row"]


def stamped(db: Database) -> str:
    with db.connect() as connection:
        ((revision,),) = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(revision)


def directly(db: Database, steps: Plan) -> list[tuple[Any, ...]]:
    """The state that the plan's own statements come to."""
    with db.connect() as connection:
        for text in BASE:
            connection.execute(text.encode())
        apply_directly(connection, steps)
    return public_state(db)


@pytest.mark.parametrize("steps", PLANS)
@pytest.mark.parametrize("env_style", STYLES)
def test_upgrade_comes_to_the_same_and_downgrade_back(
    steps: Plan, env_style: EnvStyle, make_db: MakeDatabase, tmp_path: Path
) -> None:
    db = make_db()
    versions = alembic_project(tmp_path, db.dsn, env_style=env_style, revisions=BASE)
    run_alembic(versions, "upgrade", "head")
    before = public_state(db, rows=False)

    files = render(steps, alembic_heads(versions))
    write(versions, files)
    run_alembic(versions, "upgrade", "head")
    assert public_state(db) == directly(make_db(), steps)
    assert (stamped(db),) == alembic_heads(versions)

    run_alembic(versions, "downgrade", f"-{len(files)}")
    assert public_state(db, rows=False) == before
    assert stamped(db) == "base2"
    run_alembic(versions, "upgrade", "head")


@pytest.mark.parametrize("profile", get_args(Profile))
def test_the_reference_application_goes_there_and_back(
    profile: Profile, db: Database, tmp_path: Path
) -> None:
    reference.load(db, scale=0.02)
    before = reference.structure(db)
    steps = reference.plan(db, profile)
    versions = alembic_project(tmp_path, db.dsn, env_style="per-migration")
    files = alembic.render(steps, column="tenant_id", audit_table="audit_logs", heads=(), existing={})
    write(versions, files)
    run_alembic(versions, "upgrade", "head")
    assert reference.structure(db) != before
    run_alembic(versions, "downgrade", "base")
    assert reference.structure(db) == before


@pytest.mark.parametrize("steps", PLANS)
@pytest.mark.parametrize("env_style", STYLES)
def test_the_offline_script_comes_to_the_same_and_back(
    steps: Plan, env_style: EnvStyle, make_db: MakeDatabase, tmp_path: Path
) -> None:
    db = make_db()
    versions = alembic_project(tmp_path / "project", db.dsn, env_style=env_style, revisions=BASE)
    run_alembic(versions, "upgrade", "head")
    before = public_state(db, rows=False)
    write(versions, render(steps))
    (head,) = alembic_heads(versions)
    up, down = tmp_path / "up.sql", tmp_path / "down.sql"
    up.write_text(run_alembic(versions, "upgrade", "base2:head", "--sql"), newline="")
    down.write_text(run_alembic(versions, "downgrade", f"{head}:base2", "--sql"), newline="")
    db.psql(up)
    assert public_state(db) == directly(make_db(), steps)
    assert stamped(db) == head
    db.psql(down)
    assert public_state(db, rows=False) == before


def test_without_the_escapes_the_same_file_fails(db: Database, tmp_path: Path) -> None:
    """What `_run` is there for."""
    versions = alembic_project(tmp_path, db.dsn, env_style="transactional", revisions=BASE)
    write(versions, render(sample_plans.whole()))
    for file in versions.glob("*_add_tenants.py"):
        text = file.read_text()
        assert '.replace(":", "\\\\:")' in text
        file.write_text(text.replace('.replace(":", "\\\\:")', ""))
    with pytest.raises(MigratorError, match="bind parameter 'x'"):
        run_alembic(versions, "upgrade", "head")


def test_a_failing_statement_leaves_nothing(db: Database, tmp_path: Path) -> None:
    versions = alembic_project(tmp_path, db.dsn, env_style="transactional", revisions=BASE)
    run_alembic(versions, "upgrade", "head")
    before = public_state(db)
    write(versions, render(plan(*sample_plans.whole(), change(Phase.HARDEN, "broken", "SELECT 1/0"))))
    with pytest.raises(MigratorError, match="division by zero"):
        run_alembic(versions, "upgrade", "head")
    assert public_state(db) == before
    assert stamped(db) == "base2"


def test_online_what_is_done_stays_done_and_a_step_is_all_or_nothing(db: Database, tmp_path: Path) -> None:
    done = change(Phase.HARDEN, "done", "CREATE TABLE done ()", "CREATE TABLE done_too ()")
    broken = change(Phase.HARDEN, "broken", "CREATE TABLE undone ()", "SELECT 1/0")
    versions = alembic_project(tmp_path, db.dsn, env_style="per-migration")
    write(versions, render(plan(done, broken, profile="online"), ()))
    with pytest.raises(MigratorError, match="division by zero"):
        run_alembic(versions, "upgrade", "head")
    tables = {row[1] for row in public_state(db) if row[0] == "table"}
    assert tables == {"done", "done_too"}


def test_online_an_env_with_its_own_transaction_is_refused_before_anything_runs(
    db: Database, tmp_path: Path
) -> None:
    versions = alembic_project(tmp_path, db.dsn, env_style="outer-transaction", revisions=BASE)
    write(versions, render(sample_plans.online()))
    with pytest.raises(MigratorError, match=r"env\.py opens a transaction.*\n?.*`tenantry apply`"):
        run_alembic(versions, "upgrade", "head")
    assert public_state(db) == []


def test_a_transactional_plan_runs_inside_a_transaction_of_env(make_db: MakeDatabase, tmp_path: Path) -> None:
    db = make_db()
    versions = alembic_project(tmp_path, db.dsn, env_style="outer-transaction", revisions=BASE)
    write(versions, render(sample_plans.whole()))
    run_alembic(versions, "upgrade", "head")
    assert public_state(db) == directly(make_db(), sample_plans.whole())


def test_a_guard_stops_a_downgrade(db: Database, tmp_path: Path) -> None:
    guard = ("SELECT count(*) FROM tenants WHERE id <> 'default'", "a second tenant's rows: 100% :x $guard$")
    versions = alembic_project(tmp_path, db.dsn, env_style="transactional", revisions=BASE)
    files = render(dataclasses.replace(sample_plans.whole(), guards=(guard,)))
    write(versions, files)
    run_alembic(versions, "upgrade", "head")
    with db.connect() as connection:
        connection.execute("INSERT INTO tenants VALUES ('second')")
        with pytest.raises(MigratorError, match="a second tenant's rows: 100% :x"):
            run_alembic(versions, "downgrade", f"-{len(files)}")
        assert (stamped(db),) == alembic_heads(versions)
        connection.execute("DELETE FROM tenants WHERE id = 'second'")
    run_alembic(versions, "downgrade", f"-{len(files)}")
    assert stamped(db) == "base2"


def test_the_chain_stands_on_the_head(db: Database, tmp_path: Path) -> None:
    versions = alembic_project(tmp_path, db.dsn, env_style="transactional", revisions=BASE)
    files = render(sample_plans.whole(), alembic_heads(versions))
    titles = [
        "add_tenants",
        "add_tenant_id_columns",
        "backfill_tenant_id",
        "enforce_tenant_id",
        "create_trail",
        "harden",
    ]
    assert [file.path.partition("_")[2] for file in files] == [f"{title}.py" for title in titles]
    write(versions, files)
    history = run_alembic(versions, "history", "--indicate-current").splitlines()
    ids = ["base2", *(file.path.partition("_")[0] for file in files)]
    expected = [f"{down} -> {up}" for down, up in itertools.pairwise(ids)]
    assert [line.partition(",")[0].removesuffix(" (head)") for line in history[:6]] == expected[::-1]


def test_a_project_without_revisions_gets_its_first(db: Database, tmp_path: Path) -> None:
    versions = alembic_project(tmp_path, db.dsn, env_style="transactional")
    assert alembic_heads(versions) == ()
    write(versions, render(plan(*sample_plans.whole().phase(Phase.TENANTS)), ()))
    run_alembic(versions, "upgrade", "head")
    assert (stamped(db),) == alembic_heads(versions)


def test_several_heads_are_refused() -> None:
    with pytest.raises(PlanError, match="2 heads, one, two: run `alembic merge heads`"):
        render(sample_plans.whole(), ("one", "two"))


def test_rendering_again_changes_nothing() -> None:
    steps = sample_plans.whole()
    files = {file.path: file.text for file in render(steps)}
    (*_, last) = files
    head = last.partition("_")[0]
    assert render(steps, (head,), files) == ()
    assert render(plan(), (head,), files) == ()
    reformatted = {
        path: text.replace('"base2"', "'base2'").replace("    ", "  ") for path, text in files.items()
    }
    assert render(steps, (head,), reformatted) == ()


def test_nothing_is_overwritten() -> None:
    """A plan that comes again on another head, or comes in other words, gets revisions of its own."""
    steps = sample_plans.whole()
    files = {file.path: file.text for file in render(steps)}
    (*_, last) = files
    head = last.partition("_")[0]
    on_top = render(steps, ("own",), files)
    other = render(dataclasses.replace(steps, profile="online"), (head,), files)
    for more in (on_top, other):
        assert len(more) == 6
        assert not {file.path for file in more} & files.keys()
    assert 'down_revision = "own"' in on_top[0].text
    assert f'down_revision = "{head}"' in other[0].text
    incomplete = {path: text for path, text in files.items() if not path.endswith("_harden.py")}
    assert len(render(steps, (head,), incomplete)) == 6


@pytest.mark.parametrize("steps", PLANS)
def test_the_files_are_clean(steps: Plan, tmp_path: Path) -> None:
    """ruff's own defaults, its formatter's too, and Python's syntax."""
    odd = dataclasses.replace(sample_plans.change(Phase.HARDEN, "odd", "SELECT 1"), why='odd \\ """ why')
    write(
        tmp_path,
        render(
            dataclasses.replace(
                steps, steps=(*steps, odd) if steps.profile == "transactional" else steps.steps
            )
        ),
    )
    for arguments in (["check"], ["format", "--diff"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    for file in tmp_path.glob("*.py"):
        compile(file.read_text(), file.name, "exec")


def test_online_files_say_what_env_must_allow() -> None:
    for file in render(sample_plans.online()):
        assert "transaction_per_migration=True" in file.text
        assert ("does it in small batches" in file.text) == file.path.endswith("_backfill_tenant_id.py")
    assert not any("autocommit" in file.text for file in render(sample_plans.whole()))
