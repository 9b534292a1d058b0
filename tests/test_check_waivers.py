"""Static checks: waivers and baselines, the headers of the files, fingerprints."""

import json
from dataclasses import replace
from datetime import date
from importlib import resources

import pytest

from tenantry import checks, spec
from tenantry.checks import headers, waivers
from tenantry.errors import SpecError
from tenantry.finding import Finding, Review
from tenantry.report.findings import to_json, to_text
from tenantry.waiver import Waiver

TODAY = date(2026, 11, 22)


# Waivers, baselines


FINDING = Finding("create-temp", "error", "app", "app may make temporary tables")
WAIVER = Waiver(check="create-temp", object="app", reason="no pool", until=date(2026, 11, 22))


def waived(*given: Waiver, findings: tuple[Finding, ...] = (FINDING,), today: date = TODAY) -> Review:
    bare = Review("", "", "", "", checks.all_checks(), (), findings, ())
    return waivers.apply(bare, given, today)


@pytest.mark.parametrize(
    "waiver",
    [
        WAIVER,
        WAIVER.model_copy(update={"check": "609"}),
        Waiver(fingerprint=FINDING.fingerprint, reason="no pool", until=date(2027, 1, 1)),
    ],
)
def test_a_waived_finding_does_not_count(waiver: Waiver) -> None:
    found = waived(waiver)
    assert found.findings == ()
    assert [(w.finding, w.reason) for w in found.waived] == [(FINDING, "no pool")]
    assert found.good
    assert "WAIVED until" in to_text(found)


def test_a_waiver_that_is_over_is_a_finding() -> None:
    found = waived(WAIVER, today=date(2026, 11, 23))
    assert [f.check for f in found.findings] == ["create-temp", "waiver-expired"]
    assert not found.good


@pytest.mark.parametrize("change", [{"object": "other"}, {"check": "set-config"}])
def test_a_waiver_that_matches_nothing_is_a_finding(change: dict[str, str]) -> None:
    given = WAIVER.model_copy(update=change)
    assert [(f.check, f.level) for f in waived(given).findings][1:] == [("waiver-unmatched", "warning")]
    not_run = Review("", "", "", "", checks.all_checks(), (given.check or "",), (), ())
    assert waivers.apply(not_run, (given,), TODAY).findings == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('check = "x"\nreason = "r"\nuntil = 2027-01-01', "check and object, or fingerprint alone"),
        ('check = "x"\nobject = "o"\nfingerprint = "f"\nreason = "r"\nuntil = 2027-01-01', "fingerprint alone"),
        ('fingerprint = "f"\nuntil = 2027-01-01', "reason: is missing"),
        ('fingerprint = "f"\nreason = "r"', "until: is missing"),
        ('fingerprint = "f"\nreason = "r"\nuntil = "soon"', "until: is"),
        ('fingerprint = "f"\nreason = "r"\nuntil = 2027-01-01\nwhy = 1', "why: no such key here"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_waiver_is_told(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec.parse(f"[[waivers]]\n{text}\n")
    assert words in str(caught.value)


def test_a_waiver_changes_no_plan() -> None:
    with_one = spec.parse('[[waivers]]\nfingerprint = "f"\nreason = "r"\nuntil = 2027-01-01\n')
    assert with_one.waivers[0].until == date(2027, 1, 1)
    assert with_one.digest == spec.parse("").digest


def test_what_a_baseline_has_does_not_count_again() -> None:
    earlier = waived()
    baseline = waivers.baseline(to_json(earlier), "baseline.json")
    other = Finding("set-config", "error", "app", "app may call set_config")
    found = waivers.known(waived(findings=(other, FINDING)), baseline)
    assert (found.findings, found.known, found.gone) == ((other,), (FINDING,), ())
    assert waivers.baseline(to_json(found), "again").fingerprints == {FINDING.fingerprint, other.fingerprint}
    gone = waivers.known(waived(findings=()), baseline)
    assert gone.gone == (FINDING.fingerprint,)
    assert "1 finding of the baseline is gone" in to_text(gone)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"findings": [{}], "known": []}'])
def test_a_file_that_is_no_baseline_is_told(text: str) -> None:
    with pytest.raises(SpecError, match=r"some\.json: no report of `tenantry check`"):
        waivers.baseline(text, "some.json")


def test_a_fingerprint_is_made_of_names() -> None:
    one = Finding("policy-open", "error", "t", "policy a on t", detail="a")
    assert one.fingerprint == replace(one, message="said otherwise", level="note", fix="else").fingerprint
    assert (
        len({one.fingerprint, replace(one, detail="b").fingerprint, replace(one, object="u").fingerprint})
        == 3
    )


# Headers and reports


def test_every_file_is_a_check_and_every_check_can_be_explained() -> None:
    files = {f.name for f in resources.files("tenantry.checks").iterdir() if f.name.endswith(".sql")}
    assert {f"{c.slug}.sql" for c in checks.all_checks()} == {f for f in files if not f.startswith("_")}
    assert len(checks.all_checks()) > 90
    for check in checks.all_checks():
        assert check.title, check.slug
        assert check.why.endswith("."), check.slug
        assert check.fix.endswith("."), check.slug
        assert check.controls.startswith("SOC 2 "), check.slug
        assert check.sabotage, check.slug


HEADER = """-- id: 999
-- slug: x
-- level: note
-- title: t
-- controls: SOC 2 CC6.1
-- needs: app
-- why: w
--   goes on
-- fix: f
-- sabotage:
--   A;
--   B
--   b;
SELECT 1;
"""


def test_a_header_is_read() -> None:
    check = headers.read("x", HEADER)
    assert (check.id, check.level, check.needs, check.why) == ("999", "note", ("app",), "w goes on")
    assert check.sabotage == ("A", "B\nb")
    assert check.query == "SELECT 1"


@pytest.mark.parametrize(
    ("old", "with_", "words"),
    [
        ("-- why: w\n--   goes on\n", "", "the header lacks why"),
        ("--   A;\n--   B\n--   b;\n", "", "the header lacks sabotage"),
        ("-- slug: x", "-- slug: y", "slug is 'y'; name it as the file"),
        ("-- id: 999", "-- id: 12", "id is '12'; write three digits"),
        ("level: note", "level: bad", "level is 'bad'; write error, warning, note"),
        ("needs: app", "needs: luck", "needs is 'luck'"),
        ("-- fix: f", "-- fixx: f", "'fixx' is no key"),
        ("-- fix: f", "-- nothing", "is no header line"),
        ("SELECT 1;", "", "no query follows the header"),
    ],
)
def test_a_malformed_header_is_told(old: str, with_: str, words: str) -> None:
    assert old in HEADER
    with pytest.raises(ValueError, match=r"checks/x\.sql") as caught:
        headers.read("x", HEADER.replace(old, with_))
    assert words in str(caught.value)


def test_the_worst_comes_first_and_much_of_one_kind_is_counted() -> None:
    notes = tuple(Finding("tenant-mutable", "note", f"t{n}", f"may update t{n}", "a fix.") for n in range(9))
    review = Review(
        "2026-11-22", "PostgreSQL 18.6", "app", "tenant_id = app.tenant", checks.all_checks(), ("set-config",),
        (*notes, Finding("rls-off", "error", "t", "t has none", "ENABLE it."), FINDING), ("views", "roles"),
    )  # fmt: skip
    text = to_text(review)
    order = [
        "ERRORS FOUND: 2 errors, 9 notes, 1 of", "as app  tenant_id = app.tenant", "ERROR 201 rls-off", "t has none",
        "fix: ENABLE it.", "NOTE 411 tenant-mutable", "may update t4", "and 4 more", "Not looked at:", "- views", "- roles",
    ]  # fmt: skip
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "may update t5" not in text
    assert len(json.loads(to_json(review))["findings"]) == 11
