"""Every case of `cases/` there and back: planned, applied, resumed, planned again, reverted, in both profiles."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import dropwhile
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tenantry import apply, revert
from tenantry.catalog import Catalog
from tenantry.errors import PlanError
from tenantry.names import display
from tenantry.plan import Backfill, Change, Phase, Plan, Profile
from tenantry.planner import plan as make_plan
from tenantry.prove import prove
from tests import corpus
from tests.corpus import Case, Subject
from tests.servers import MakeDatabase

PROFILES: tuple[Profile, ...] = ("online", "transactional")
PAUSES = 6
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def _params(cases: Iterable[Case]) -> list[object]:
    return [pytest.param(case, marks=case.marks, id=case.name) for case in cases]


every_case = pytest.mark.parametrize("case", _params(corpus.cases()))
every_converted_case = pytest.mark.parametrize("case", _params(c for c in corpus.cases() if not c.refused))


@every_case
def test_a_case_is_planned_or_refused_as_written(case: Case, make_db: MakeDatabase, tmp_path: Path) -> None:
    subject = corpus.build(case, make_db, tmp_path)
    online, transactional = (_planned(subject, profile) for profile in PROFILES)
    if isinstance(online, Plan):
        file, text = case.golden(subject.db.server_version // 10_000), corpus.golden_text(online)
    else:
        file, text = case.directory / "refused.txt", online
        assert transactional == online
    if corpus.UPDATE_GOLDEN:
        file.write_text(subject.tidy(text), encoding="utf-8")
    assert subject.tidy(text) == file.read_text(encoding="utf-8")
    if isinstance(online, Plan):
        _check_order(subject, online)
        _check_locks(subject)
        assert isinstance(transactional, Plan), transactional
        _check_order(subject, transactional)


def _check_locks(subject: Subject) -> None:
    """No step of a live conversion reads rows while it holds a lock that makes the application wait."""
    with subject.db.connect() as conn:
        conn.execute("ANALYZE")  # only then is it known how many rows there are
    plan = make_plan(subject.spec, subject.catalog(), "online")
    small = {
        display(subject.spec.tenancy.tenants),
        *([display(subject.spec.audit.table)] if subject.spec.audit else []),
    }
    exclusions = {i.name for t in subject.before.tables for i in t.indexes if i.exclusion}
    long = [
        step.id
        for step in plan
        if isinstance(step, Change) and step.rows and step.lock.blocks and step.object not in small
    ]
    assert not exclusions or len(long) <= len(exclusions)  # there is no concurrent form of those
    assert exclusions or long == []


def _planned(subject: Subject, profile: Profile) -> Plan | str:
    """The plan, or the reasons why there is none, one a line."""
    try:
        return make_plan(subject.spec, subject.before, profile)
    except PlanError as error:
        return "".join(f"{problem}\n" for problem in error.problems)


@every_converted_case
def test_a_case_there_and_back(case: Case, make_db: MakeDatabase, tmp_path: Path) -> None:
    subjects = {profile: corpus.build(case, make_db, tmp_path, remember=True) for profile in PROFILES}
    plans = {profile: make_plan(s.spec, s.before, profile) for profile, s in subjects.items()}
    for profile, subject in subjects.items():
        apply.apply(subject.db.dsn, plans[profile])
        _check_converted(subject)
    _check_proven(subjects["online"])
    result = _result(subjects["online"])
    assert _result(subjects["transactional"]) == result
    for subject in subjects.values():
        _check_reverted(subject)
    for profile in PROFILES:
        broken = corpus.build(case, make_db, tmp_path)
        _convert_with_pauses(broken, profile)
        assert _result(broken) == result, profile


def _result(subject: Subject) -> tuple[Any, str]:
    """A database as it became, comparable with others."""
    return corpus.everything(subject.catalog()), subject.tidy(corpus.dump(subject.db))


def _check_reverted(subject: Subject) -> None:
    done = revert.revert(subject.db.dsn)
    back = subject.catalog()
    expected = corpus.without_leftovers(subject.before, back)
    assert (done.left, done.restored) == (0, expected == subject.before)
    assert corpus.everything(back) == corpus.everything(expected)
    assert corpus.dump(subject.db) == subject.dump
    filled = subject.filled_columns()
    whole = {name: rows for name, rows in subject.rows.items() if name not in filled}
    assert subject.count_rows(whole, without_tenant=False) == whole
    assert subject.count_rows(filled, without_tenant=True) == {
        name: subject.own_rows[name] for name in filled
    }


def _convert_with_pauses(subject: Subject, profile: Profile) -> None:
    """Run a few steps by hand and plan again, a few times: the new plan is the rest of the old one."""
    plan = make_plan(subject.spec, subject.before, profile)
    size = len(plan.steps) // PAUSES + 1
    with subject.db.connect() as conn:
        while len(plan.steps) > size:
            corpus.by_hand(conn, plan.steps[:size])
            rest = make_plan(subject.spec, subject.catalog(), profile)
            assert _open(conn, rest.steps) == _open(conn, plan.steps[size:])
            # What is done stays in a plan where the catalog cannot tell; it would be paused at for ever.
            plan = replace(rest, steps=tuple(dropwhile(partial(corpus.holds, conn), rest)))
    apply.apply(subject.db.dsn, make_plan(subject.spec, subject.catalog(), profile))


def _open(conn: psycopg.Connection[Any], steps: Sequence[Change | Backfill]) -> list[tuple[str, ...]]:
    """What is left to do of steps: a plan may hold some that are done, since a catalog does not tell of rows."""
    return [(step.id, *step.apply) for step in steps if not corpus.holds(conn, step)]


# A converted database


def _check_converted(subject: Subject) -> None:
    after = subject.catalog()
    for profile in PROFILES:
        assert make_plan(subject.spec, after, profile).steps == ()
    tenants = subject.spec.tenancy.tenants
    kept = {name: rows for name, rows in subject.own_rows.items() if name != tenants}
    assert subject.count_rows(kept, without_tenant=True) == kept
    _check_tenants(subject, after)


def _check_tenants(subject: Subject, after: Catalog) -> None:
    """Every row has a tenant, and the right one."""
    tables = subject.tenant_tables(after)
    assert tables, "a case without a tenant table shows nothing"
    wrong = subject.case.wrong_tenants()
    with subject.db.connect() as conn:
        for table, root in tables:
            column = table.column(subject.tenant_column(root))
            assert column is not None, table.qname
            assert column.not_null, table.qname
            if root == table.qname:
                assert subject.rows[root][0], f"{root} has no rows, so that nothing is shown"
                found = corpus.wrong_constants(conn, subject, root)
                assert found == 0 or (found is None and wrong), (
                    f"{root} has rows of a wrong tenant, or no expect.sql"
                )
        for query in wrong:
            assert conn.execute(query.encode()).fetchall() == [], query


def _check_proven(subject: Subject) -> None:
    """No check finds an error that the spec does not waive; every attack holds, but for those of `unproven.txt`."""
    with corpus.signing(subject):
        proof = prove(subject.db.dsn, subject.spec, mode="full", now=NOW)
    assert proof.pending == ()
    assert proof.review is not None
    # What is known of the server's version says nothing about the conversion.
    known = [f for f in proof.review.findings if f.check != "server-version"]
    assert [f for f in (*proof.findings, *known) if f.level == "error"] == []
    assert proof.outcomes, "nothing was attacked"
    open_ = [o for o in proof.outcomes if o.status != "held" or not o.control_fired]
    # Cases have rows of one tenant, and no events: nothing to compare, and nobody to be gone.
    open_ = [o for o in open_ if (o.attack, o.status) not in (("worlds", "skipped"), ("oracle", "skipped"))]
    assert sorted(f"{o.attack} {o.object}: {o.status}" for o in open_) == subject.case.unproven, open_


# The order of a plan

_STAGES = {
    "column": r"ALTER TABLE \S.* ADD COLUMN ",
    "backfill": r"UPDATE ",
    "not null": r"ALTER TABLE \S.* (ADD CONSTRAINT .* CHECK|ALTER COLUMN .* SET NOT NULL)",
    "unique": r"CREATE UNIQUE INDEX|ALTER TABLE \S.* ADD CONSTRAINT .* (UNIQUE|EXCLUDE)",
    "reference": r"ALTER TABLE \S.* ADD CONSTRAINT .* FOREIGN KEY",
    "validate": r"ALTER TABLE \S.* VALIDATE CONSTRAINT ",
    "index": r"CREATE INDEX",
    "row security": r"ALTER TABLE \S.* (ENABLE|FORCE) ROW LEVEL SECURITY|CREATE POLICY",
    "grant": r"GRANT|REVOKE",
}
_ORDER = list(_STAGES)


def _check_order(subject: Subject, plan: Plan) -> None:
    labels = {display(table.qname) for table, _ in subject.tenant_tables(subject.before)}
    # Triggers that capture are there from the hardening on, and need to read then what leads to a tenant.
    steps = [s for s in plan if s.object in labels and not s.id.endswith(".capture.columns")]
    if plan.profile == "online":
        _check_sorted(steps)
        return
    # A migrator's files have the references between tenant tables after row level security, and lift it for each.
    harden = [step for step in steps if step.phase is Phase.HARDEN]
    _check_sorted([step for step in steps if step.phase is not Phase.HARDEN])
    _check_sorted(harden)
    for step in harden:
        if {"reference", "validate"} & set(_stages(step)):
            _check_lifted(step)


def _check_sorted(steps: Sequence[Change | Backfill]) -> None:
    found: list[tuple[int, str]] = []
    checks = {name for step in steps for name in _named(step, 'ADD CONSTRAINT (".*?") CHECK')}
    for step in steps:
        for stage in _stages(step):
            if stage == "validate":
                stage = (
                    "not null" if set(_named(step, 'VALIDATE CONSTRAINT (".*?")$')) & checks else "reference"
                )
            found.append((_ORDER.index(stage), step.id))
    assert found == sorted(found, key=lambda pair: pair[0])


def _stages(step: Change | Backfill) -> list[str]:
    """What a step is about, as far as the order is concerned; lifting FORCE for a moment is not row security."""
    if isinstance(step, Backfill):
        return ["backfill"]
    found = [
        stage for s in step.apply for stage, pattern in _STAGES.items() if re.match(pattern, s, re.DOTALL)
    ]
    return [s for s in found if s != "row security"] if "reference" in found or "validate" in found else found


def _named(step: Change | Backfill, pattern: str) -> list[str]:
    return [name for statement in step.apply for name in re.findall(pattern, statement)]


def _check_lifted(step: Change | Backfill) -> None:
    lifted = [
        _named(step, rf"ALTER TABLE (\S.*) {word}FORCE ROW LEVEL SECURITY") for word in ("NO ", "(?<!NO )")
    ]
    assert lifted[0]
    assert lifted[0] == lifted[1]
    assert "NO FORCE" in step.apply[0]
    assert " FORCE" in step.apply[-1]
    tables = _named(step, r"ALTER TABLE (\S.*) ADD CONSTRAINT") + _named(step, r"REFERENCES (\S.*?) \(")
    assert set(tables) <= set(lifted[0])
