"""Events whatever somebody wrote: they break neither a report, nor a look-up, an export or a verification, and deceive nobody."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from psycopg import IsolationLevel
from typer.testing import CliRunner, Result

from tenantry import cli, controls
from tenantry.audit import account as accounts
from tenantry.audit import upkeep
from tenantry.audit.account import Account, Keys
from tenantry.audit.damage import Damage
from tenantry.audit.query import Filter
from tenantry.audit.tree import Frontier
from tenantry.audit.verify import State, dropped
from tenantry.cli.audit.verify import text
from tests import trail
from tests.servers import Server
from tests.trail import TABLE, Trail

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
TIMES = ("infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "20000-01-01 00:00:00+00", "294276-12-31 23:59:59+00",
         "4714-11-24 00:00:00+00 BC", "9999-12-31 23:59:59.999999+00", "0001-01-01 00:00:00+00")  # fmt: skip
METADATA = {
    "large": json.dumps({"text": "é" * 5_000_000}),
    "deep": '{"a":' * 2000 + "1" + "}" * 2000,
    "a number too large for a float": '{"n": 1e400, "m": -0.0}',
    "a number of many digits": '{"n": ' + "7" * 5000 + "}",
    "a number that a float rounds": '{"n": 0.12345678901234567890123}',
    "text": '"=1+1"',
    "a list": "[]",
}
FORGED = "ann\n2026-01-01 00:00:00  acme              eve               auth.login               success"
WORDS = (
    FORGED, "\x1b[2J\x1b[31mred", "\u202egnp.exe", "\u2066x\u2069", "\x9b31m", "\r\roverwritten", "=HYPERLINK(\"x\")",
    "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "<script>alert(1)</script>", "", " ", "\u200b", "\ufeff", "\u2028next",
)  # fmt: skip


@pytest.fixture(scope="module")
def odd(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trail]:
    """A plain trail, whose columns the application may all write, with a json column instead of jsonb beside it."""
    with server.databases() as make:
        t = trail.make(make(), tmp_path_factory.mktemp("odd"), "plain")
        t.do('ALTER TABLE audit_logs ADD COLUMN "=raw" json')
        for at in TIMES:
            t.do("INSERT INTO audit_logs (action, created_at) VALUES ('time', %(at)s)", at=at)
        for name, text in METADATA.items():
            t.do(
                "INSERT INTO audit_logs (action, actor_id, metadata) VALUES ('audit.read', %(n)s, %(t)s)",
                n=name,
                t=text,
            )
        t.do(
            """INSERT INTO audit_logs (action, "=raw") VALUES ('raw', '{"a\\u0000": "\\ud800", "a": 1, "a": -0}')"""
        )
        for word in WORDS:
            t.do(
                "INSERT INTO audit_logs (tenant_id, actor_id, action, resource_type, resource_id, ip_address, metadata)"
                " VALUES (%(w)s, %(w)s, %(w)s, %(w)s, %(w)s, %(w)s, jsonb_build_object(%(w)s::text, %(w)s::text))",
                w=word,
            )
        t.seal()
        t.event("acme")
        late = "INSERT INTO audit_logs (action, created_at) VALUES ('late', %(at)s)"
        for at in TIMES:
            t.do(late, at=at)
        t.seal()
        # A time far from that of the seal is damage until somebody answers for it; here somebody does.
        found = run(t, "verify").stdout
        for at in TIMES:
            assert re.search(f"ERROR backdated: .* it says {re.escape(at)},", found), (at, found)
        upkeep.accept(t.db.dsn, TABLE, t.key, "odd times")
        (t.anchor.parent / "seal.pub").write_text(f"{t.key.public}\n", encoding="ascii")
        yield t


def run(t: Trail, verb: str, *arguments: object) -> Result:
    return CliRunner().invoke(
        cli.app, ["audit", verb, *map(str, arguments), "--dsn", t.db.dsn, "--table", "audit_logs"]
    )


def account(t: Trail) -> Account:
    with closing(t.db.connect()) as conn:
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        return accounts.account(conn, TABLE, Filter(), Keys((t.key.public,)), app=None, now=NOW)


def test_it_verifies(odd: Trail) -> None:
    done = run(
        odd, "verify", "--public-key", odd.anchor.parent / "seal.pub", "--anchor", f"file:{odd.anchor}"
    )
    assert (done.exit_code, done.stdout.partition(":")[0]) == (0, "VERIFIED"), done.output


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_an_export_verifies(odd: Trail, tmp_path: Path, kind: str) -> None:
    assert run(odd, "export", tmp_path / "out", "--format", kind).exit_code == 0
    done = CliRunner().invoke(
        cli.app,
        [
            "audit",
            "verify",
            "--export",
            str(tmp_path / "out"),
            "--public-key",
            str(odd.anchor.parent / "seal.pub"),
        ],
    )
    assert (done.exit_code, done.stdout.partition(":")[0]) == (0, "VERIFIED"), done.output


def test_security_tools_get_valid_json_that_says_what_is_there(odd: Trail, tmp_path: Path) -> None:
    done = run(odd, "export", tmp_path / "out", "--format", "ocsf")
    assert done.exit_code == 0, done.output

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    found = []
    for file in (tmp_path / "out").glob("events-*"):
        lines = gzip.decompress(file.read_bytes()).decode().removesuffix("\n").split("\n")
        found += [json.loads(line, parse_constant=refuse) for line in lines]
    read = {
        e["actor"]["user"]["uid"]: e["unmapped"]["metadata"] for e in found if e["message"] == "audit.read"
    }
    with odd.db.connect() as conn:
        stored = dict(
            conn.execute(
                "SELECT actor_id, metadata::text FROM audit_logs WHERE action = 'audit.read'"
            ).fetchall()
        )
    for name in METADATA:
        # What a number of the reader's cannot hold is given as it is written.
        assert read[name] == stored[name] or read[name] == json.loads(stored[name]), name
    for name in ("a number of many digits", "a number that a float rounds", "deep"):
        assert read[name] == stored[name], name
    # A time that nothing can be made of is not 1970 in silence.
    times = [(e["time"], e["unmapped"].get("created_at")) for e in found if e["message"] == "time"]
    assert {text for at, text in times if at == 0} == {*TIMES} - {TIMES[-1], TIMES[-2]}


def test_a_report_shows_it_and_stays_small(odd: Trail) -> None:
    found = account(odd)
    page = controls.to_html(found, controls.evidence(found, None))
    assert len(page) < 500_000
    assert "<script>alert" not in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202e\u2028\u2066\ufeff]", page)
    for words in ("0044-03-15 12:00:00 BC", "20000-01-01 00:00:00", "infinity", "9999-12-31 23:59:59"):
        assert words in page, words
    assert "20000-01-01 00:00:0<" not in page
    # A single time far away makes no drawing of three hundred thousand years.
    assert len(found.spans) < 1200
    assert sum(span.events for span in found.spans) == found.events - 12
    assert any("12 events have no time from the year 1 to 9999, and" in line for line in found.not_looked_at)


def test_a_look_up_forges_no_line(odd: Trail) -> None:
    page = run(odd, "query", "--most", 1000)
    assert page.exit_code == 0, page.output
    lines = page.stdout.splitlines()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e\u2028\u2066\ufeff]", page.stdout)
    assert sum(line.startswith("2026-01-01 00:00:00") for line in lines) == 0
    # That this was read is one more event, and the last line says that there are no more.
    assert len(lines) == odd.ask("SELECT count(*) FROM audit_logs")
    assert any(line.startswith("0044-03-15 12:00:00 BC") for line in lines)
    assert any(line.startswith("20000-01-01 00:00:00 ") for line in lines)


def test_a_spreadsheet_takes_nothing_for_a_formula(odd: Trail) -> None:
    page = run(odd, "query", "--most", 1000, "--format", "csv")
    assert page.exit_code == 0
    csv.field_size_limit(100_000_000)
    rows = list(csv.reader(io.StringIO(page.stdout)))
    assert len(rows) > len(WORDS)
    assert [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@", "\t", "\r")] == []
    assert {'\'=HYPERLINK("x")', "'+1", "'-1", "'@SUM(A1)", "'\t=1"} <= {cell for row in rows for cell in row}
    # The exact text is in the JSON.
    exact = json.loads(run(odd, "query", "--most", 1000, "--format", "json").stdout)
    assert {*WORDS} <= {event["actor_id"] for event in exact["events"]}


@pytest.mark.parametrize("verb", ["query", "report"])
def test_a_time_that_ends_before_it_begins_is_refused(odd: Trail, tmp_path: Path, verb: str) -> None:
    file = (tmp_path / "x.html",) if verb == "report" else ()
    done = run(odd, verb, *file, "--since", "2026-03-02", "--until", "2026-03-01")
    assert (done.exit_code, "--until" in done.stderr) == (2, True), done.output
    assert not (tmp_path / "x.html").exists()


def test_damage_is_told_on_one_line(tmp_path: Path) -> None:
    key = trail.key(tmp_path).public
    report = dropped((), (), State(3, Frontier(), str(key), None))
    assert report is not None
    report = replace(report, findings=(Damage("deleted", f"sealed for tenant {FORGED}", record=FORGED),))
    assert len(text(report).splitlines()) == 3
