"""Drizzle's folder, run by drizzle-orm's own migrator."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tenantry.errors import PlanError
from tenantry.plan import Phase, Plan
from tenantry.render import File, drizzle
from tests import sample_plans
from tests.migrators import MigratorError, read, run_drizzle, run_psql, write
from tests.sample_plans import BEFORE, apply_directly, change, plan, state
from tests.servers import Database, MakeDatabase

JOURNAL = "meta/_journal.json"
NOW = 1_700_000_000_000
MARKER = "--> statement-breakpoint"
ENTRIES: list[dict[str, Any]] = [
    {"idx": 0, "version": "7", "when": 1_600_000_000_000, "tag": "0000_base", "breakpoints": True},
    {"idx": 1, "version": "7", "when": 1_600_000_000_500, "tag": "0001_more", "breakpoints": False},
]
BASE: dict[str, Any] = {"version": "7", "dialect": "postgresql", "entries": ENTRIES}


def render(steps: Plan, existing: Mapping[str, str] | None = None, *, now_ms: int = NOW) -> tuple[File, ...]:
    return drizzle.render(
        steps, column="tenant_id", audit_table="trail", first=2, existing=existing or {}, now_ms=now_ms
    )


def journal(files: tuple[File, ...]) -> dict[str, Any]:
    (text,) = [file.text for file in files if file.path == JOURNAL]
    found: dict[str, Any] = json.loads(text)
    return found


def base_folder(folder: Path, *, journal: Mapping[str, Any] = BASE) -> dict[str, str]:
    """A folder with two files of its own; returns it as the renderer takes it."""
    later = "CREATE TABLE later (id int);"
    texts = {"0000_base.sql": BEFORE, "0001_more.sql": later, JOURNAL: json.dumps(journal, indent=2)}
    write(folder, [File(path, text) for path, text in texts.items()])
    return read(folder, ".sql", ".json")


def applied(db: Database) -> list[int]:
    """The `when` of every applied file, in the order they were applied."""
    with db.connect() as connection:
        rows = connection.execute(
            "SELECT created_at FROM drizzle.__drizzle_migrations ORDER BY id"
        ).fetchall()
    return [when for (when,) in rows]


def listed(folder: Path) -> list[int]:
    return [entry["when"] for entry in json.loads((folder / JOURNAL).read_text())["entries"]]


def public_state(db: Database) -> list[tuple[Any, ...]]:
    with db.connect() as connection:
        return state(connection)


def test_the_migrator_applies_every_file_once_and_comes_to_the_same(
    make_db: MakeDatabase, tmp_path: Path
) -> None:
    db, direct = make_db(), make_db()
    steps = sample_plans.whole()
    write(tmp_path, render(steps, base_folder(tmp_path)))
    run_drizzle(tmp_path, db.dsn)
    assert applied(db) == listed(tmp_path)
    assert len(applied(db)) == 8
    with direct.connect() as connection:
        connection.execute((BEFORE + "CREATE TABLE later (id int)").encode())
        apply_directly(connection, steps)
    assert public_state(db) == public_state(direct)

    run_drizzle(tmp_path, db.dsn)
    assert applied(db) == listed(tmp_path)

    write(tmp_path, render(sample_plans.later(), read(tmp_path, ".sql", ".json"), now_ms=NOW + 1000))
    run_drizzle(tmp_path, db.dsn)
    assert applied(db) == listed(tmp_path)
    assert len(applied(db)) == 9
    assert ("column", "later", "tenant_id", "text false") in public_state(db)


def test_an_old_when_is_silently_skipped(db: Database, tmp_path: Path) -> None:
    """What the renderer's rule for `when` protects from: drizzle reports success and does nothing."""
    base_folder(tmp_path)
    run_drizzle(tmp_path, db.dsn)
    write(tmp_path, render(sample_plans.later(), read(tmp_path, ".sql", ".json")))
    good = (tmp_path / JOURNAL).read_text()
    sabotaged = json.loads(good)
    sabotaged["entries"][-1]["when"] = ENTRIES[-1]["when"] - 1
    (tmp_path / JOURNAL).write_text(json.dumps(sabotaged))
    run_drizzle(tmp_path, db.dsn)
    assert len(applied(db)) == 2
    (tmp_path / JOURNAL).write_text(good)
    run_drizzle(tmp_path, db.dsn)
    assert len(applied(db)) == 3


def test_a_failing_statement_leaves_nothing(db: Database, tmp_path: Path) -> None:
    broken = plan(*sample_plans.whole(), change(Phase.HARDEN, "broken", "SELECT 1/0"))
    write(tmp_path, render(broken, base_folder(tmp_path)))
    with pytest.raises(MigratorError, match="division by zero"):
        run_drizzle(tmp_path, db.dsn)
    assert applied(db) == []
    assert public_state(db) == []


def test_the_files_run_in_psql_too(make_db: MakeDatabase, tmp_path: Path) -> None:
    db, direct = make_db(), make_db()
    steps = sample_plans.whole()
    write(tmp_path, render(steps))
    for each in (db, direct):
        with each.connect() as connection:
            connection.execute(BEFORE.encode())
    run_psql(sorted(tmp_path.glob("*.sql")), db)
    with direct.connect() as connection:
        apply_directly(connection, steps)
    assert public_state(db) == public_state(direct)


def test_each_piece_is_one_statement() -> None:
    for file in render(sample_plans.whole()):
        if file.path == JOURNAL:
            continue
        pieces = [piece.strip() for piece in file.text.split(MARKER)]
        assert all(piece.endswith(";") for piece in pieces)
        assert pieces[0].endswith("\nSET row_security = off;")
        assert pieces[-1] == "RESET row_security;"
        assert not any(line in ("BEGIN;", "COMMIT;") for line in file.text.splitlines())
    backfill = next(f.text for f in render(sample_plans.whole()) if f.path == "0004_backfill_tenant_id.sql")
    assert backfill.count(MARKER) == 5  # two settings, trigger off, update, trigger on, setting


def test_a_new_journal_is_written_as_drizzle_kit_writes_it() -> None:
    (text,) = [file.text for file in render(sample_plans.later()) if file.path == JOURNAL]
    assert text == (
        '{\n  "version": "7",\n  "dialect": "postgresql",\n  "entries": [\n    {\n      "idx": 2,\n'
        f'      "version": "7",\n      "when": {NOW},\n      "tag": "0002_add_tenant_id_columns",\n'
        '      "breakpoints": true\n    }\n  ]\n}'
    )


def test_the_journal_is_continued(tmp_path: Path) -> None:
    base = BASE | {"entries": [entry | {"note": "kept ü"} for entry in ENTRIES], "x": [1]}
    existing = base_folder(tmp_path, journal=base)
    existing[JOURNAL] += "\n"
    files = render(sample_plans.whole(), existing)
    found = journal(files)
    assert found | {"entries": found["entries"][:2]} == base
    new = found["entries"][2:]
    assert [entry["idx"] for entry in new] == [2, 3, 4, 5, 6, 7]
    assert [f"{entry['tag']}.sql" for entry in new] == [file.path for file in files if file.path != JOURNAL]
    assert [int(entry["tag"][:4]) for entry in new] == [entry["idx"] for entry in new]
    whens = [entry["when"] for entry in found["entries"]]
    assert whens == sorted(set(whens))
    assert whens[-1] == NOW
    assert files[-1].text.endswith("]\n}\n")
    assert "kept ü" in files[-1].text


def test_rendering_again_changes_nothing(tmp_path: Path) -> None:
    steps = sample_plans.whole()
    write(tmp_path, render(steps, base_folder(tmp_path)))
    existing = read(tmp_path, ".sql", ".json")
    assert render(steps, existing, now_ms=NOW + 5000) == ()
    edited = existing | {"0007_harden.sql": "-- mine\n"}
    files = render(steps, edited, now_ms=NOW + 5000)
    assert [file.path[:4] for file in files[:-1]] == ["0008", "0009", "0010", "0011", "0012", "0013"]
    assert not {file.path for file in files[:-1]} & existing.keys()


def test_a_file_that_no_entry_names_keeps_its_number(tmp_path: Path) -> None:
    existing = base_folder(tmp_path) | {"0002_draft.sql": "SELECT 1;"}
    files = render(sample_plans.later(), existing)
    assert files[0].path == "0003_add_tenant_id_columns.sql"
    assert journal(files)["entries"][-1]["idx"] == 2


@pytest.mark.parametrize("now_ms", [1_600_000_000_506, 1_600_000_000_505, 1_600_000_000_499])
def test_when_needs_room_between_the_newest_entry_and_now(now_ms: int, tmp_path: Path) -> None:
    existing = base_folder(tmp_path)
    if now_ms == 1_600_000_000_506:  # six files
        assert (
            journal(render(sample_plans.whole(), existing, now_ms=now_ms))["entries"][2]["when"] == now_ms - 5
        )
        return
    word = "in the future" if now_ms < 1_600_000_000_500 else "just now"
    with pytest.raises(PlanError, match=f"0001_more .*{word}"):
        render(sample_plans.whole(), existing, now_ms=now_ms)


def test_the_newest_entry_need_not_be_the_last(tmp_path: Path) -> None:
    first, second = ENTRIES
    swapped = [first | {"when": NOW + 1}, second]
    existing = base_folder(tmp_path, journal=BASE | {"entries": swapped})
    with pytest.raises(PlanError, match="0000_base has a when of 1700000000001"):
        render(sample_plans.later(), existing)


def test_steps_outside_a_transaction_are_refused() -> None:
    with pytest.raises(PlanError, match=r"enforce.users.index: .* `tenantry apply`"):
        render(sample_plans.online())


@pytest.mark.parametrize("where", ["why", "apply"])
def test_a_text_that_holds_the_marker_is_refused(where: str) -> None:
    fields: dict[str, Any] = {"why": MARKER} if where == "why" else {"apply": (f"SELECT '{MARKER}'",)}
    step = dataclasses.replace(change(Phase.AUDIT, "x", "SELECT 1"), **fields)
    with pytest.raises(PlanError, match="would cut"):
        render(plan(step))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "without meta/_journal.json"),
        ("{", "no journal of drizzle"),
        ("[]", "no journal of drizzle"),
        ('{"version": "7", "dialect": "postgresql", "entries": [{"idx": 0}]}', "no journal of drizzle"),
        ('{"version": "5", "dialect": "pg", "entries": []}', "drizzle-kit up"),
        ('{"version": "7", "dialect": "mysql", "entries": []}', "mysql"),
        (
            '{"version": "7", "dialect": "postgresql", "entries": [{"idx": 0, "when": "1", "tag": "a"}]}',
            "whole number",
        ),
    ],
)
def test_a_folder_that_cannot_be_continued_is_refused(text: str | None, complaint: str) -> None:
    existing = {"0000_base.sql": "SELECT 1;"} | ({JOURNAL: text} if text is not None else {})
    with pytest.raises(PlanError, match=complaint):
        render(sample_plans.later(), existing)
