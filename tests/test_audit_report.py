"""The account of the trail for people: what it counts, what it says it did not look at, and how it is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import IsolationLevel
from typer.testing import CliRunner, Result

from tenantry import checks, cli, controls
from tenantry.audit import account as accounts
from tenantry.audit import anchors, seal
from tenantry.audit.account import Account, Keys, Span
from tenantry.audit.anchors import File
from tenantry.audit.query import Filter
from tenantry.checks import Request, examine, waivers
from tenantry.finding import Finding, Review
from tenantry.waiver import Waiver
from tests import extended, npm, trail
from tests.chromium import Tab, tab
from tests.report_samples import ODD
from tests.servers import Database, MakeDatabase, Server
from tests.test_browser import BROWSER, FILTER, complaints, tabbed
from tests.trail import TABLE

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
MARCH = Filter(until=datetime(2026, 4, 1, tzinfo=UTC))
FILL = """
INSERT INTO audit_logs (tenant_id, actor_id, action, resource_type, resource_id, ip_address, metadata, outcome, created_at)
SELECT (ARRAY['acme', 'globex', NULL])[1 + n % 3], 'user-' || n % 40, (ARRAY['desk.read', 'desk.move', 'auth.login'])[1 + n % 3],
  'desk', n::text, '10.0.0.' || n % 250, jsonb_build_object('number', n),
  CASE WHEN n % 50 = 0 THEN 'denied' WHEN n % 70 = 0 THEN 'failure' ELSE 'success' END,
  '2026-03-01 00:00Z'::timestamptz + n * interval '14 minutes'
FROM generate_series(1, 3000) AS n
"""


@dataclass(frozen=True)
class World:
    db: Database
    keys: Keys
    app: str
    key: Any
    anchor: Path


@pytest.fixture(scope="module")
def world(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An extended trail of 3 000 events and one of hostile words, sealed and anchored."""
    with server.databases() as make:
        db, directory = make(), tmp_path_factory.mktemp("seal")
        app = extended.make(db).roles.app
        with db.connect() as conn:
            conn.execute(FILL.encode())
            conn.execute(
                "INSERT INTO audit_logs (tenant_id, actor_id, action, resource_type, resource_id, ip_address, metadata,"
                " outcome, created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, 'denied', '2026-03-20 00:00Z')",
                ("acme", *[ODD] * 5, json.dumps({ODD: ODD})),
            )
        key, anchor = trail.key(directory), directory / "anchor.txt"
        seal.seal(db.dsn, TABLE, key, [File(anchor)])
        yield World(db, Keys((key.public,), tuple(anchors.read(anchor))), app, key, anchor)


def look(w: World, wanted: Filter = Filter(), known: Keys | None = None, **options: Any) -> Account:  # noqa: B008
    with closing(w.db.connect()) as conn:
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        return accounts.account(conn, TABLE, wanted, known or w.keys, app=w.app, now=NOW, **options)


def run(w: World, *arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["audit", "report", *map(str, arguments), "--dsn", w.db.dsn])


# What it says


def test_it_counts_what_a_query_counts(world: World) -> None:
    with world.db.connect() as conn:
        row = conn.execute(
            "SELECT count(*), count(*) FILTER (WHERE outcome <> 'success'), count(DISTINCT tenant_id) FROM audit_logs WHERE created_at < '2026-04-01'"
        ).fetchone()
    found = look(world, MARCH)
    assert row is not None
    assert (found.events, found.refused) == row[:2]
    assert sum(span.events for span in found.spans) == sum(g.events for g in found.deeds) == found.events
    assert sum(span.refused for span in found.spans) == sum(g.refused for g in found.tenants) == found.refused
    assert (found.unit, len(found.spans)) == ("day", 30)
    assert {g.names[0] for g in found.tenants} == {"acme", "globex", None}
    assert len(found.listed) == 2000
    assert all(e["outcome"] != "success" for e in found.refusals)
    assert found.good
    assert found.recorded


def test_one_tenant_and_a_time(world: World) -> None:
    since, until = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
    found = look(world, Filter(tenant="acme", since=since, until=until))
    assert (found.unit, found.spans[0].start, found.tenants) == ("hour", "2026-03-02 00:00", ())
    assert {e["tenant_id"] for e in found.listed} == {"acme"}
    assert 25 < found.events < 40
    assert any("events of other tenants" in line for line in found.not_looked_at)
    assert any("events before 2026-03-02" in line for line in found.not_looked_at)
    with world.db.connect() as conn:
        said = conn.execute(
            "SELECT tenant_id, metadata FROM audit_logs WHERE action = 'audit.read' ORDER BY seq DESC LIMIT 1"
        )
        tenant, metadata = said.fetchone() or (None, dict[str, str]())
    assert tenant == "acme"
    assert metadata["report"] == str(found.events)


@pytest.mark.parametrize(
    ("last", "unit", "spans"),
    [
        ("2026-01-01 05:00Z", "hour", 6),
        ("2026-02-01", "day", 32),
        ("2028-01-15", "month", 25),
        ("2046-01-01", "year", 21),
    ],
)
def test_the_unit_fits_the_time(db: Database, tmp_path: Path, last: str, unit: str, spans: int) -> None:
    t = trail.make(db, tmp_path, "plain")
    t.do(
        "SET timezone = 'UTC'",
        f"INSERT INTO audit_logs (action, created_at) VALUES ('a', '2026-01-01 00:30Z'), ('b', '{last}'), ('c', 'infinity')",
    )
    found = look(World(db, Keys(), "nobody", t.key, t.anchor))
    assert (found.unit, len(found.spans), sum(s.events for s in found.spans)) == (unit, spans, 2)
    assert "1 event has no time from the year 1 to 9999, and in no span" in found.not_looked_at


def test_what_cannot_be_looked_at_is_never_good(db: Database, tmp_path: Path) -> None:
    t = trail.make(db, tmp_path, "plain")
    t.event("acme")
    bare = World(db, Keys(), "nobody", t.key, t.anchor)
    found = look(bare)
    page = controls.to_html(found)
    assert (found.good, found.refused, found.seal.report) == (False, None, None)
    assert "The trail was not verified" in page
    assert "never sealed" in " ".join(found.not_looked_at)
    assert {one.state for one in controls.evidence(found, None)} == {"could not look", "not shown"}
    t.seal()
    sealed = look(bare)
    assert sealed.seal.report is not None
    assert {"who signs", "anchors"} <= {line.partition(":")[0] for line in sealed.not_looked_at}


def test_who_may_only_read_the_trail_is_told_what_that_leaves_out(db: Database, tmp_path: Path) -> None:
    t = trail.make(db, tmp_path, "plain")
    t.event("acme")
    t.seal()
    role = db.role("reader")
    t.do(f"CREATE ROLE {role} LOGIN", f"GRANT SELECT ON audit_logs TO {role}")
    with closing(db.connect(user=role)) as conn:
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        found = accounts.account(conn, TABLE, Filter(), Keys(), app=None, now=NOW)
    assert (found.events, found.recorded, found.seal.report, found.good) == (1, False, None, False)
    left = " ".join(found.not_looked_at)
    assert "the role may not write events" in left
    assert "schema tenantry_audit, the seal, cannot be read" in left
    assert "is an event of the trail" not in controls.to_html(found)


# Evidence


def states(w: World, **options: Any) -> dict[tuple[str, str], str]:
    with closing(w.db.connect()) as conn:
        review = examine(conn, Request(roles=(w.app,)), now=NOW)
    found = controls.evidence(look(w, **options), review)
    return {(one.control.rpartition(" ")[2], one.command): one.state for one in found}


def test_the_evidence_follows_what_there_is(world: World, make_db: MakeDatabase) -> None:
    good = states(world)
    assert good["CC7.3", "tenantry audit verify --public-key …"] == "shown"
    assert good["CC7.2", "tenantry audit verify --anchor …"] == "shown"
    assert good["A.8.15", "tenantry audit query --outcome denied"] == "shown"
    assert good["CC6.1", "tenantry prove"] == "could not look"
    assert states(world, known=Keys())["CC7.2", "tenantry audit verify --anchor …"] == "could not look"
    spoilt = replace(world, db=make_db(template=world.db))
    with spoilt.db.connect() as conn:
        conn.execute("ALTER TABLE audit_logs DISABLE TRIGGER USER")
        conn.execute("UPDATE audit_logs SET actor_id = 'nobody' WHERE resource_id = '1500'")
    bad = states(spoilt)
    changed = {key for key in good if good[key] == "shown" and bad[key] == "not shown"}
    assert {"tenantry audit verify --public-key …", "tenantry audit verify --anchor …"} <= {
        command for _, command in changed
    }
    assert bad["CC7.2", "tenantry audit status"] == bad["A.8.15", "tenantry audit status"] == "not shown"
    page = controls.to_html(look(spoilt))
    assert "The trail is damaged" in page
    assert "reads otherwise than when it was sealed" in page


def test_what_is_waived_is_told_with_its_reason_and_its_last_day(world: World) -> None:
    named = controls.checks_of("SOC 2 CC7.3")[0]
    finding = Finding(named.slug, "error", "audit_logs", "anybody may write it")
    bare = Review("", "", "", "", checks.all_checks(), (), (finding,), ())
    account = look(world)

    def evidence(**change: Any) -> tuple[str, str]:
        waiver = Waiver(
            **{"check": named.slug, "object": "audit_logs", **change}, reason="as agreed", until=NOW.date()
        )
        found = controls.evidence(account, waivers.apply(bare, (waiver,), today))
        (one,) = [e for e in found if e.control == "SOC 2 CC7.3" and e.command == "tenantry check"]
        return one.state, one.words

    today = NOW.date()
    said = f"waived until 2026-03-31: error {named.slug} on audit_logs: anybody may write it (as agreed)"
    assert evidence() == ("shown", f"no finding at error level; {said}")
    today += timedelta(days=1)
    for change in (
        {},
        {"check": named.id},
        {"check": None, "object": None, "fingerprint": finding.fingerprint},
    ):
        state, words = evidence(**change)
        assert (state, words.partition(",")[0]) == ("not shown", "1 finding at error level")
        assert words.endswith(": the waiver ended on 2026-03-31: as agreed")


def test_an_anchor_that_nobody_trusted_signed_shows_nothing(world: World) -> None:
    made_up = replace(world.keys.anchors[0], root=bytes(32), signatures=())
    found = states(world, known=replace(world.keys, anchors=(made_up,)))
    assert found["CC7.2", "tenantry audit verify --anchor …"] == "could not look"


def test_who_looked_is_told_whatever_somebody_wrote(world: World) -> None:
    def read(metadata: str) -> dict[str, str | None]:
        return {"action": "audit.read", "created_at": "then", "metadata": metadata}

    account = replace(look(world), own=tuple(map(read, ("[]", '{"user": ["x"]}', '{"user": "ann"}'))))
    (told, *_) = [e for e in controls.evidence(account, None) if e.what == "somebody looks at the trail"]
    assert told.words == "3 look-ups, the last at then, by ['x'], ann"


def test_every_control_has_evidence_and_every_check_names_known_ones() -> None:
    assert {control for way in controls.WAYS for control in way.controls} == {*controls.CONTROLS}
    assert len(controls.checks_of("SOC 2 CC6.1")) > 50
    assert {check.slug for check in controls.checks_of("SOC 2 CC7.3")} <= {
        c.slug for c in controls.checks_of("SOC 2 CC7.2")
    }
    assert controls.checks_of("ISO/IEC 27001:2022 A.8.15") == ()


# The command


def test_the_command_writes_a_file_and_tells(world: World, tmp_path: Path) -> None:
    public = tmp_path / "seal.pub"
    public.write_text(f"{world.key.public}\n", encoding="ascii")
    page = tmp_path / "trail.html"
    done = run(
        world, page, "--evidence", "--public-key", public, "--anchor", world.anchor, "--since", "2026-03-01"
    )
    assert re.match(rf"{page}: 3,0\d\d events, verified; \d+ things were not looked at\.\n", done.stdout), (
        done.output
    )
    assert re.search(
        r"^shown +SOC 2 CC7.3: nothing was changed since it was sealed", done.stdout, re.MULTILINE
    )
    assert "Evidence for controls" in page.read_text(encoding="utf-8")
    assert done.exit_code == ("not shown" in done.stdout)
    assert run(world, page, "--since", "soon").exit_code == 2


def test_a_seal_that_was_dropped_ends_with_1(world: World, make_db: MakeDatabase, tmp_path: Path) -> None:
    public, page = tmp_path / "seal.pub", tmp_path / "trail.html"
    public.write_text(f"{world.key.public}\n", encoding="ascii")
    known = ("--public-key", public, "--anchor", world.anchor)
    assert run(world, page, *known).exit_code == 0
    robbed = replace(world, db=make_db(template=world.db))
    with robbed.db.connect() as conn:
        conn.execute("DROP SCHEMA tenantry_audit CASCADE")
    done = run(robbed, page, *known, "--evidence")
    assert (done.exit_code, "DAMAGED" in done.stdout) == (1, True), done.output
    assert re.search(r"^could not look .*events are kept", done.stdout, re.MULTILINE)
    assert '<h1 class="verdict bad"' in page.read_text(encoding="utf-8")
    assert "knows a log of 3 records" in page.read_text(encoding="utf-8")
    assert "The seal says of none" not in page.read_text(encoding="utf-8")
    # Nobody says who signs, or no anchor is named: it was not verified, which is never good.
    for fewer in (known[2:], known[:2]):
        done = run(robbed, page, *fewer)
        assert (done.exit_code, "not verified" in done.stdout) == (1, True), done.output


def test_hostile_words_are_escaped(world: World) -> None:
    page = controls.to_html(look(world))
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\\u202e" in page


def test_a_bar_is_never_too_low_to_be_seen() -> None:
    bars = accounts.chart([Span("a", 0, 0), Span("b", 10_000, 1), Span("c", 1, 1)])
    assert [(round(bar.done), round(bar.lost)) for bar in bars] == [(0, 0), (120, 2), (0, 2)]


# In a browser


@pytest.fixture(scope="module")
def pages(world: World, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    with closing(world.db.connect()) as conn:
        review = examine(conn, Request(roles=(world.app,)), now=NOW)
    whole = look(world, most=3000)
    empty = look(world, Filter(tenant="nobody"), Keys())
    found = {
        "whole": controls.to_html(whole, controls.evidence(whole, review)),
        "empty": controls.to_html(empty),
    }
    for name, text in found.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in found}


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab("the account of the trail") as found:
        yield found


in_browser = [
    pytest.mark.pg(">=18"),
    pytest.mark.xdist_group("browser"),
]  # the same for every server: once is enough


@pytest.mark.pg(">=18")
@pytest.mark.xdist_group("browser")
def test_thousands_of_events_in_a_browser(browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages["whole"], width=1400)
    assert complaints(browser) == []
    assert {r["request"]["url"] for r in browser.of("Network.requestWillBeSent")} == {pages["whole"].as_uri()}
    for width in (1400, 400):
        browser.size(width)
        assert browser.ask("document.documentElement.scrollWidth") <= width
    begun = browser.ask("performance.now()")
    rows, said = browser.ask(FILTER.format(table="all", text=json.dumps("globex user-7 move"), tick="false"))
    assert 0 < len(rows) < 100
    assert said == f"{len(rows)} of 3,000 rows".replace(",", "")
    assert browser.ask("performance.now()") - begun < 3000  # ms, on a busy machine
    rows, _ = browser.ask(FILTER.format(table="all", text='""', tick="true"))
    assert 50 < len(rows) < 110


@pytest.mark.pg(">=18")
@pytest.mark.xdist_group("browser")
def test_the_keyboard_reaches_every_table(browser: Tab, pages: dict[str, Path]) -> None:
    browser.open(pages["whole"], width=1400)
    seen = tabbed(browser, 45)
    assert seen[0][:2] == ("skip", "Skip to the content")
    assert {outline for _, _, outline in seen if outline} == {"3px"}
    regions = set(
        browser.ask(
            "[...document.querySelectorAll('[role=region]')].filter((r) => !r.closest('details:not([open])')).map((r) => r.ariaLabel)"
        )
    )
    assert len(regions) > 10
    assert regions <= {words for _, words, _ in seen}


@pytest.mark.pg(">=18")
@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize(("name", "dark"), [("whole", False), ("whole", True), ("empty", False)])
def test_it_is_accessible(browser: Tab, pages: dict[str, Path], name: str, dark: bool) -> None:
    rules = (
        npm.installed(BROWSER, "the accessibility of the account")
        / "node_modules"
        / "axe-core"
        / "axe.min.js"
    )
    browser.open(pages[name], width=1400, dark=dark)
    # A few rows are as good as thousands, of which each rule would look at every cell.
    browser.ask("document.querySelectorAll('tbody tr:nth-child(n + 9)').forEach((row) => row.remove())")
    browser.ask("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    browser.ask(rules.read_text(encoding="utf-8") + "; 0")
    found = browser.ask(
        "axe.run().then((r) => r.violations.map((v) => [v.id, v.nodes.slice(0, 3).map((n) => n.html)]))"
    )
    assert found == []
