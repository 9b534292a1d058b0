"""The list of known ways past isolation: every case once, found by what there is, or with the reason why nothing can."""

import importlib
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tenantry import checks, mutations
from tenantry.attacks import ATTACKS, DOORS

pytestmark = pytest.mark.pg(">=18")  # no server is asked

sys.path.insert(0, str(Path(__file__).parents[1] / "docs" / "_ext"))
known_cases: Any = importlib.import_module("known_cases")
CASES = known_cases.cases()
COUNTS = {"R": 23, "P": 34, "V": 24, "K": 14, "S": 9, "O": 9, "G": 8, "T": 16, "I": 3}
# Not about a known way past isolation, but about whether one can look or whether the list itself is kept.
BESIDE = {
    "role-missing", "owner-login", "role-schema-owner", "parameter-granted", "policy-wrong-column",
    "policy-other-setting", "fk-switched-off", "grant-public", "grant-shared-write", "index-unusable",
    "context-key-readable", "context-not-definer",
}  # fmt: skip


def test_every_case_is_there_once() -> None:
    assert [c.id for c in CASES] == [
        f"{letter}{n:02}" for letter, count in COUNTS.items() for n in range(1, count + 1)
    ]
    assert len(CASES) == 140
    assert [t for t, n in Counter(c.title for c in CASES).items() if n > 1] == []
    assert set(known_cases.TOPICS) == set(COUNTS)


@pytest.mark.parametrize("case", CASES, ids=[c.id for c in CASES])
def test_what_finds_a_case_is_there(case: Any) -> None:
    assert set(case.checks) <= {c.slug for c in checks.all_checks()}
    assert set(case.attacks) <= {a.NAME for a in ATTACKS} | {d.NAME for d in DOORS}
    assert case.checks or case.attacks or len(case.remark) > 20


def test_what_finds_a_case_was_seen_to_find_its_own_sabotage() -> None:
    """In the suite, of which `tenantry prove --self-test` tries all and tests/test_mutations.py most."""
    every = [m for world in mutations.NAMES for m in mutations.suite.of(world)]
    claimed = {c for m in every for c in m.finds} | {b.partition(" ")[0] for m in every for b in m.breaches}
    assert {name for case in CASES for name in (*case.checks, *case.attacks)} <= claimed


def test_every_check_finds_a_case() -> None:
    named = {slug for c in CASES for slug in c.checks}
    assert {c.slug for c in checks.all_checks()} - named <= BESIDE
    assert not BESIDE - {"role-schema-owner"} & named


def test_the_page_has_them_all() -> None:
    page = known_cases.page()
    assert page.count("\n| ") - page.count("| case |") == 140
