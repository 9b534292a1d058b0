"""Reports in every format: whole, well-formed whatever names hold, and never better than the record."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tenantry.cli import app
from tenantry.cli._report import show
from tenantry.errors import SpecError
from tenantry.finding import Finding, Outcome, Proof, Review, Waived
from tenantry.report import formats, results
from tenantry.report.anchors import Anchors, anchors, keys
from tenantry.report.formats import ReportFormat, write
from tests import npm, reference
from tests import report_samples as samples

pytestmark = pytest.mark.pg(">=18")  # pure: the same for every server

SPEC = ("tenantry.toml", (reference.EXAMPLE / "tenantry.toml").read_text(encoding="utf-8"))
MIGRATIONS = [
    (f"migrations/{p.name}", p.read_text(encoding="utf-8"))
    for p in sorted(reference.MIGRATIONS.glob("*.sql"))
]
ODD = Outcome("read", samples.ODD, "breached", 1, True, f"as {samples.ODD}", f"SELECT * FROM {samples.ODD}")
RECORDS: dict[str, Proof | Review] = {
    "held": samples.proof(),
    "breached": samples.breached(),
    "nothing": Proof("2026-11-22T12:00:00+00:00", "PostgreSQL 15.20", "app", (), (), (), ()),
    "odd": samples.proof(3, ODD, findings=[Finding("grant", "error", samples.ODD, samples.ODD, samples.ODD)]),
    "review": samples.review(Finding("rls-off", "error", "users", "users has none", "ENABLE it.")),
    "clean": samples.review(),
}  # fmt: skip
for_each = pytest.mark.parametrize("record", RECORDS.values(), ids=list(RECORDS))


def written(record: Proof | Review, form: ReportFormat, at: Anchors | None = None) -> str:
    return write(record, form, at or Anchors(), samples.WHY)


def good(record: Proof | Review) -> bool:
    return record.good if isinstance(record, Review) else record.proven


# What counts

LEVELS = st.sampled_from(["error", "warning", "note"])
FINDINGS = st.lists(
    st.builds(Finding, st.sampled_from(["rls-off", "x"]), LEVELS, st.text(max_size=3), st.text()), max_size=3
)
OUTCOMES = st.lists(
    st.builds(
        Outcome, st.sampled_from(["read", "move", "plan"]), st.sampled_from(["a", "b"]),
        st.sampled_from(["held", "held", "held", "skipped", "skipped", "breached", "error"]), st.integers(0, 9), st.booleans() | st.just(True),
    ),
    max_size=4,
)  # fmt: skip


@st.composite
def reviews(draw: st.DrawFn) -> Review:
    waived = tuple(Waived(f, "reason", date(2027, 1, 1)) for f in draw(FINDINGS))
    return replace(
        samples.review(), findings=tuple(draw(FINDINGS)), waived=waived, known=tuple(draw(FINDINGS))
    )


@st.composite
def proofs(draw: st.DrawFn) -> Proof:
    return replace(
        samples.proof(3), outcomes=tuple(draw(OUTCOMES)), findings=tuple(draw(FINDINGS)),
        review=draw(st.none() | reviews()), pending=tuple(draw(st.lists(st.text(), max_size=2))),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.one_of(reviews(), proofs()))
def test_every_format_agrees_with_the_verdict(record: Proof | Review) -> None:
    counted = [r for r in results.of(record) if r.counts and r.finding.level == "error"]
    assert (not counted) == good(record)
    junit = Xml.fromstring(written(record, ReportFormat.junit))
    assert (int(junit.get("failures", "")) == 0 and int(junit.get("errors", "")) == 0) or not good(record)
    assert [len(s) > 0 and s[0].tag for s in junit.iterfind("testsuite[@name='verdict']/testcase")] == [
        False if good(record) else "failure"
    ]
    github = written(record, ReportFormat.github)
    assert ("\n::error " in "\n" + github) == (not good(record))
    page = written(record, ReportFormat.html)
    assert ('class="verdict good"' in page) == good(record)


# JSON


def strict(schema: Any) -> Any:
    """A schema that allows nothing it does not name, so that what is new in the record shows."""
    schema = copy.deepcopy(schema)
    for one in [*schema["$defs"].values()]:
        if "properties" in one:
            one["unevaluatedProperties"] = False
    # What is part of another object is closed there.
    schema["$defs"]["Review"].pop("unevaluatedProperties")
    return schema


@for_each
def test_json_is_as_its_schema_says(record: Proof | Review) -> None:
    schema = formats.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(written(record, ReportFormat.json))
    validator = jsonschema.Draft202012Validator(strict(schema))
    assert [e.message for e in validator.iter_errors(document)] == []
    assert not validator.is_valid(document | {"more": 1})


@pytest.mark.parametrize("name", ["nothing", "clean"])
def test_json_that_lacks_something_is_none(name: str) -> None:
    validator = jsonschema.Draft202012Validator(formats.json_schema())
    document = json.loads(written(RECORDS[name], ReportFormat.json))
    assert validator.is_valid(document | {"more": 1})
    for key in document:
        assert not validator.is_valid({k: v for k, v in document.items() if k != key}), key


def test_the_schema_is_printed() -> None:
    told = CliRunner().invoke(app, ["schema", "report"])
    assert json.loads(told.stdout) == formats.json_schema()


# SARIF


@for_each
def test_sarif_has_what_the_standard_requires(record: Proof | Review) -> None:
    log = json.loads(written(record, ReportFormat.sarif, anchors(SPEC, MIGRATIONS)))
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"]
    assert len({r["id"] for r in rules}) == len(rules)
    assert all(r["shortDescription"]["text"] and r["help"]["text"] for r in rules)
    assert all(i["executionSuccessful"] is True for i in run["invocations"])
    assert re.fullmatch(r"\d{4}(-\d\d){2}T(\d\d:){2}\d\dZ", run["invocations"][0]["endTimeUtc"])
    assert all(n["message"]["text"] for n in run["invocations"][0]["toolExecutionNotifications"])
    assert run["results"] or record.findings == ()
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert (result["kind"], result["level"]) in {
            ("fail", level) for level in ("error", "warning", "note")
        }
        assert re.fullmatch("[0-9a-f]{16}", result["partialFingerprints"]["tenantry/v1"])
        (location,) = result["locations"]
        assert location["logicalLocations"][0]["fullyQualifiedName"]
        physical = location["physicalLocation"]
        assert physical["artifactLocation"]["uriBaseId"] == "%SRCROOT%"
        assert re.fullmatch(r"[\w./%~-]+", physical["artifactLocation"]["uri"])
        assert physical["region"]["startLine"] >= 1
        assert all(
            s["kind"] in ("inSource", "external") and s["status"] == "accepted"
            for s in result.get("suppressions", ())
        )


@for_each
def test_sarif_is_as_its_schema_says(record: Proof | Review) -> None:
    """By the schema of the standard's final text, which admits nothing that it does not name."""
    for text in (written(record, ReportFormat.sarif, at) for at in (Anchors(), anchors(SPEC, MIGRATIONS))):
        assert sarif_errors(text) == []


WRONG: Mapping[str, Callable[[Any, Any], object]] = {
    "no version": lambda log, _: log.pop("version"),
    "another version": lambda log, _: log.update(version="2.2.0"),
    "a name of one's own": lambda _, run: run.update(verdict="proven"),
    "no driver": lambda _, run: run["tool"].pop("driver"),
    "no message": lambda _, run: run["results"][0].pop("message"),
    "a level that is none": lambda _, run: run["results"][0].update(level="info"),
    "a number as text": lambda _, run: run["results"][0].update(ruleIndex="0"),
    "a line before the first": lambda _, run: run["results"][0]["locations"][0]["physicalLocation"][
        "region"
    ].update(startLine=0),
    "an id that is none": lambda _, run: run["results"][0].update(locations=[{"id": -2}]),
}


@pytest.mark.parametrize("mistake", WRONG.values(), ids=list(WRONG))
def test_sarif_that_is_not_as_its_schema_says_is_seen(mistake: Callable[[Any, Any], object]) -> None:
    log = json.loads(written(samples.breached(), ReportFormat.sarif, anchors(SPEC)))
    mistake(log, log["runs"][0])
    assert len(sarif_errors(json.dumps(log))) == 1


def sarif_errors(text: str) -> list[str]:
    folder = npm.installed(Path(__file__).parent / "sarif", "SARIF against its schema")
    file = folder / "node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"
    schema = json.loads(file.read_text(encoding="utf-8"))
    validator = jsonschema.Draft4Validator(schema, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)
    return [f"{e.json_path}: {e.message}" for e in validator.iter_errors(json.loads(text))]


def test_sarif_tells_what_is_waived_known_and_new() -> None:
    record = samples.review(Finding("rls-off", "error", "users", "none"))
    run = json.loads(written(record, ReportFormat.sarif))["runs"][0]
    by = {r["ruleId"]: r for r in run["results"]}
    assert "suppressions" not in by["rls-off"]
    assert by["rls-off"]["baselineState"] == "new"
    assert by["unique-global"]["baselineState"] == "unchanged"
    (suppression,) = by["publication-rows"]["suppressions"]
    assert suppression["justification"] == "the warehouse is ours (until 2027-06-30)"
    assert "physicalLocation" not in by["rls-off"]["locations"][0]
    plain = replace(record, known=(), gone=())
    assert "baselineState" not in written(plain, ReportFormat.sarif)


# JUnit


@for_each
def test_junit_has_a_case_for_everything(record: Proof | Review) -> None:
    root = Xml.fromstring(written(record, ReportFormat.junit))
    for element in (root, *root.iterfind("testsuite")):
        cases = list(element.iter("testcase"))
        assert int(element.get("tests", "")) == len(cases)
        for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(element.get(attribute, "")) == sum(case.find(kind) is not None for case in cases)
    proof = record if isinstance(record, Proof) else None
    review = record if isinstance(record, Review) else record.review
    attacks = len(root.findall("testsuite[@name='attacks']/testcase"))
    assert attacks == (len(proof.outcomes) if proof is not None else 0)
    if review is not None:
        names = [c.get("name", "") for c in root.findall("testsuite[@name='checks']/testcase")]
        assert [f"{c.id} {c.slug}" for c in review.checks] == names[: len(review.checks)]


def test_junit_tells_failed_skipped_and_unanswered_apart() -> None:
    check_failed = Finding("check-failed", "error", "rls-off", "could not look: 22012")
    record = samples.breached()
    assert record.review is not None
    record = replace(record, review=replace(record.review, findings=(check_failed,)))
    silent = Outcome("read", "silent", "held", 1, False)
    root = Xml.fromstring(written(replace(record, outcomes=(*record.outcomes, silent)), ReportFormat.junit))
    found = {(c.get("classname"), c.get("name")): {e.tag: e for e in c} for c in root.iter("testcase")}
    assert "DELETE FROM orders" in (found["orders", "delete"]["failure"].text or "")
    assert "tenant: breached" in (found["orders", "delete"]["system-out"].text or "")
    assert found["payments", "update"]["error"].get("message") == "no answer: no rows: could not look"
    assert "skipped" in found["payments", "move"]
    assert "no control fired" in found["silent", "read"]["error"].get("message", "")
    assert {*found["users", "read"]} == {"system-out"}
    assert "could not look: 22012" in found["check", "201 rls-off"]["error"].get("message", "")
    assert "skipped" in found["check", "404 fk-not-enforced"]
    assert "waived until 2027-06-30" in (found["check", "617 publication-rows"]["system-out"].text or "")
    assert "failure" in found["prove", "declared state"]


# Annotations


def unescaped(text: str) -> str:
    for code, character in (("%0A", "\n"), ("%0D", "\r"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, character)
    return text


@for_each
def test_annotations_are_one_line_each_and_come_back(record: Proof | Review) -> None:
    text = written(record, ReportFormat.github, anchors(SPEC))
    *lines, last = text.removesuffix("\n").split("\n")
    counted = [r for r in results.of(record) if r.counts]
    assert len(lines) == len(counted)
    assert last.startswith("tenantry: ")
    for line, result in zip(lines, counted, strict=True):
        found = re.fullmatch(
            r"::(error|warning|notice) file=([^,:]+),line=(\d+),title=([^,:]*)::([^\r\n]*)", line
        )
        assert found is not None, line
        assert unescaped(found[4]) == f"{result.finding.check} on {result.finding.object}"
        assert unescaped(found[5]).startswith(result.finding.message)
        assert result.sql in unescaped(found[5])


def test_annotations_escape_what_the_workflow_commands_of_github_read() -> None:
    """As its toolkit does: %, CR and LF everywhere, colons and commas in properties too; nothing begins a command."""
    odd = Finding("grant", "error", "a:b,c%\r\n::debug::d", "1 % of 2: a, b\r\n::error::x %0A", "see, to: it")
    first, *rest = written(samples.review(odd), ReportFormat.github).splitlines()
    assert first == (
        "::error title=grant on a%3Ab%2Cc%25%0D%0A%3A%3Adebug%3A%3Ad"
        "::1 %25 of 2: a, b%0D%0A::error::x %250A%0Afix: see, to: it"
    )
    assert not any("debug" in line or "::x" in line for line in rest)


# Where it points


@pytest.mark.parametrize(
    ("finding", "line"),
    [
        (Finding("rls-off", "error", "users", ""), "[tables.users]"),
        (Finding("unique-kept", "note", "users", "", detail="users_email_unique"), "[tables.users.unique.users_email_unique]"),
        (Finding("rls-off", "error", "verification_tokens", ""), "[tables.verification_tokens]"),
        (Finding("role-superuser", "error", "app_user", ""), 'app = "app_user"'),
        (Finding("owner-login", "warning", "skills_owner", ""), 'owner = "skills_owner"'),
        (Finding("trail-writable", "error", "audit_logs", ""), "[audit]"),
        (Finding("setting-preset", "error", "app_user", ""), 'setting = "app.current_tenant_id"'),
        (Finding("server-version", "error", "18.1", ""), "[tenancy]"),
    ],
)  # fmt: skip
def test_a_finding_points_to_the_spec(finding: Finding, line: str) -> None:
    at = anchors(SPEC).of(finding)
    assert at is not None
    assert SPEC[1].splitlines()[at.line - 1].startswith(line)


@pytest.mark.parametrize(
    ("finding", "file", "line"),
    [
        (Finding("policy-open", "error", "users", "", detail="tenant_isolation"), "0005", 'CREATE POLICY "tenant_isolation" ON "public"."users"'),
        (Finding("unique-global", "error", "skills", "", detail="skills_tenant_slug_unique"), "0005", 'ADD CONSTRAINT "skills_tenant_slug_unique"'),
        (Finding("trail-writable", "error", "audit_logs", ""), "0006", 'CREATE TABLE "public"."audit_logs"'),
        (Finding("rls-off", "error", "tenants", ""), "0002", 'CREATE TABLE "public"."tenants"'),
        (Finding("rls-off", "error", "api_keys", ""), "0007", 'ALTER TABLE "public"."api_keys" FORCE ROW LEVEL SECURITY'),
        (Finding("attack-read", "error", "accounts", ""), "0007", "ROW LEVEL SECURITY"),
        (Finding("grant-truncate", "error", "ratings", ""), "0007", "GRANT SELECT"),
        (Finding("definer-free", "error", "prevent_audit_modification()", ""), "0006", "prevent_audit_modification"),
    ],
)  # fmt: skip
def test_a_finding_points_to_the_migration_that_makes_it(finding: Finding, file: str, line: str) -> None:
    at = anchors(SPEC, MIGRATIONS).of(finding)
    assert at is not None
    assert at.file.startswith(f"migrations/{file}_")
    assert line in dict(MIGRATIONS)[at.file].splitlines()[at.line - 1]


def test_what_no_migration_makes_points_to_the_spec() -> None:
    at = anchors(SPEC, MIGRATIONS).of(Finding("rls-off", "error", "nowhere", ""))
    assert at is not None
    assert at.file == "tenantry.toml"
    assert Anchors().of(Finding("rls-off", "error", "nowhere", "")) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('def upgrade():\n    op.execute(\n        """CREATE TABLE "notes" (id int)"""\n    )\n', 3),
        ("-- CREATE TABLE notes (id int)\ncreate table if not exists Notes (id int);", 2),
        ("CREATE TABLE other (id int);\nCREATE TABLE notes (id int);\nALTER TABLE notes ADD x int;\n", 2),
        ("CREATE TABLE notes (id int);\nDROP TABLE notes;\nCREATE TABLE notes (id bigint);", 3),
        ("CREATE TABLE app.notes (id int);\nCREATE TABLE public.notes (id int);", 2),
        ("ALTER TABLE\n  notes ADD COLUMN x int;", 1),
    ],
)
def test_migrations_of_others_are_read(text: str, line: int) -> None:
    at = anchors(None, [("m.sql", text)]).of(Finding("rls-off", "error", "notes", ""))
    assert at is not None
    assert at.line == line


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[tables."app.x"]\nscope = "tenant"\n', {("tables", "app.x"): 1, ("tables", "app.x", "scope"): 2}),
        ('[tables]\na = { scope = "tenant" }\n', {("tables", "a"): 2, ("tables", "a", "scope"): 2}),
        ('tables.a.scope = "tenant"\n', {("tables", "a"): 1}),
        ('[a]\nx = """\n[tables.no]\n"""\n[tables.b]\n', {("a", "x"): 2, ("tables", "b"): 5}),
        ('[a]\nx = [\n  1,\n]\n\n[[w]]\ny = 1\n', {("a", "x"): 2, ("w",): 6, ("w", "y"): 7}),
        ("# no\n\n\n[a]\n", {("a",): 4}),
    ],
)  # fmt: skip
def test_keys_of_toml_have_their_line(text: str, found: dict[tuple[str, ...], int]) -> None:
    lines = dict(reversed(list(keys(text))))
    assert {path: lines.get(path) for path in found} == found
    assert ("tables", "no") not in lines


def test_paths_are_as_seen_from_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "db" / "my migrations").mkdir(parents=True)
    spec = tmp_path / "db" / "tenantry.toml"
    spec.write_text('[tables.orders]\nscope = "tenant"\n')
    (tmp_path / "db" / "my migrations" / "1.sql").write_bytes(
        b"CREATE TABLE orders (x text DEFAULT '\xff');\n"
    )
    monkeypatch.chdir(tmp_path)

    def uris(migrations: Path | None) -> set[str]:
        show(samples.breached(), ReportFormat.sarif, spec, migrations)
        log = json.loads(capsys.readouterr().out)
        rules = {r["id"] for r in log["runs"][0]["tool"]["driver"]["rules"]}
        assert {"attack-read", "attack-worlds", "rls-off"} <= rules
        return {
            r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            for r in log["runs"][0]["results"] if r["ruleId"] == "attack-read"
        }  # fmt: skip

    assert uris(None) == {"db/tenantry.toml"}
    assert uris(Path("db/my migrations")) == {"db/my%20migrations/1.sql"}
    monkeypatch.chdir(tmp_path / "db" / "my migrations")
    assert uris(None) == {f"file://{spec}"}
    with pytest.raises(SpecError, match="nowhere: no directory; name the one"):
        show(samples.breached(), ReportFormat.sarif, spec, Path("nowhere"))


# Text


def test_text_of_much_fits_a_screen() -> None:
    many = [samples.outcome("read", f"more_{n}", "breached") for n in range(300)]
    record = samples.proof(300, *many, *(samples.outcome("move", f"x_{n}", "error") for n in range(300)),
                           findings=[Finding("grant", "error", f"t{n}", "TRUNCATE", "REVOKE") for n in range(300)])  # fmt: skip
    lines = written(record, ReportFormat.text).splitlines()
    assert len(lines) < 120
    assert lines[0].startswith("NOT PROVEN: ")
    assert "294 more objects breached; --format html or json lists them all" in lines
    assert max(map(len, lines)) <= 110


# HTML


@for_each
def test_the_page_is_one_file_and_escapes_names(record: Proof | Review) -> None:
    page = written(record, ReportFormat.html)
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert page == written(record, ReportFormat.html)


def needs(pattern: str) -> Callable[[str], bool]:
    return lambda page: re.search(pattern, page, re.DOTALL) is not None


@pytest.mark.parametrize(
    "has",
    [
        needs(r"2 attacks were not refused, on 1 object"),
        needs(r"SET LOCAL ROLE app_user;\nDELETE FROM orders;"),
        needs(r"A table of tenants without row level security"),
        needs(r"ENABLE and FORCE it\."),
        needs(r"large objects, publications, backups"),
        needs(r"the warehouse is ours"),
        needs(r"users_email_key is unique across tenants"),
        needs(r"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        needs(r"enforce\.users\.tenant_id\.not_null"),
        needs(r"12\.3 seconds"),
        needs(r'<g class="k-breached"><title>orders: breached</title>'),
        needs(r'orders <small>tenant</small></th>[^\n]*<td class="m-b"><i>breached</i></td><td class="m-b"><i>breached</i>'),
    ],
)  # fmt: skip
def test_the_page_shows_everything(has: Callable[[str], bool]) -> None:
    assert has(written(samples.breached(), ReportFormat.html))
    assert not has(written(RECORDS["nothing"], ReportFormat.html))
