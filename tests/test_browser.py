"""The HTML report in a real browser: it loads nothing, fits a narrow window, filters, and people who cannot see it can read it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tenantry.finding import Outcome, Proof, Review
from tenantry.report.anchors import Anchors
from tenantry.report.formats import ReportFormat, write
from tests import npm
from tests import report_samples as samples
from tests.chromium import Tab, tab

pytestmark = [
    pytest.mark.pg(">=18"),
    pytest.mark.xdist_group("browser"),
]  # the same for every server: once is enough

BROWSER = Path(__file__).parent / "browser"
ODD = Outcome("read", samples.ODD * 8, "breached", 1, True, samples.ODD, f"SELECT * FROM {samples.ODD * 8}")
BARE = tuple(replace(o, cells=()) for o in samples.proof().outcomes)
RECORDS: Mapping[str, Proof | Review] = {
    "held": samples.proof(),
    "breached": samples.breached(14),
    "odd": samples.proof(3, ODD),
    "bare": samples.proof(outcomes=BARE, places=(), review=None, fingerprint="", seconds=0.0),
    "large": samples.breached(1000),
    "review": samples.breached().review or samples.review(),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab() as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {name: folder / f"{name}.html" for name in RECORDS}
    for name, record in RECORDS.items():
        found[name].write_text(write(record, ReportFormat.html, Anchors(), samples.WHY), encoding="utf-8")
    return found


def complaints(browser: Tab) -> list[object]:
    kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    return [event for kind in kinds for event in browser.of(kind)]


@pytest.mark.parametrize("name", RECORDS)
def test_a_page_loads_nothing_and_fits(browser: Tab, pages: Mapping[str, Path], name: str) -> None:
    browser.open(pages[name], width=1400)
    assert complaints(browser) == []
    asked = {request["request"]["url"] for request in browser.of("Network.requestWillBeSent")}
    assert asked == {pages[name].as_uri()}
    for width in (1400, 400):
        browser.size(width)
        assert browser.ask("document.documentElement.scrollWidth") <= width


def test_what_the_policy_forbids_would_be_seen(browser: Tab, tmp_path: Path) -> None:
    page = write(RECORDS["held"], ReportFormat.html, Anchors(), samples.WHY)
    wide = "<p style='width:999px'>x</p><script>alert(1)</script><img src='http://localhost:1/x.png'>"
    bad = tmp_path / "bad.html"
    bad.write_text(page.replace("<main", wide + "<main"), encoding="utf-8")
    browser.open(bad, width=400)
    assert len(complaints(browser)) == 3


FILTER = """(() => {{
  const form = document.querySelector('form[data-for={table}]');
  const [text, tick] = form.querySelectorAll('input');
  text.value = {text}; tick.checked = {tick};
  text.dispatchEvent(new Event('input', {{bubbles: true}}));
  const rows = [...document.getElementById('{table}').tBodies[0].rows];
  return [rows.filter((row) => row.offsetParent !== null).map((row) => row.cells[0].firstChild.textContent.trim()),
          form.querySelector('output').textContent];
}})()"""


def test_the_filters_filter(browser: Tab, pages: Mapping[str, Path]) -> None:
    def left(table: str, text: str, tick: bool = False) -> tuple[list[str], str]:
        rows, said = browser.ask(FILTER.format(table=table, text=json.dumps(text), tick=json.dumps(tick)))
        return rows, said

    browser.open(pages["large"], width=1400)
    rows, said = left("cells", "")
    assert (len(rows), said) == (989, "989 rows")
    assert rows[0] == "orders"  # the worst first
    assert left("cells", "INVOICES 0010 tenant") == (["invoices_0010"], "1 of 989 rows")
    assert left("cells", "", tick=True) == (["orders", "invoices", "payments"], "3 of 989 rows")
    assert left("cells", "pay", tick=True)[0] == ["payments"]
    assert left("cells", "no such") == ([], "0 of 989 rows")
    assert left("asked", "rls off-part")[0] == ["203"]
    assert {"201", "404", "411"} <= {*left("asked", "", tick=True)[0]}


def test_without_its_script_everything_is_there(browser: Tab, pages: Mapping[str, Path]) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(pages["breached"], width=1400)
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.ask("[...document.forms].every((form) => form.hidden)") is True
    assert browser.ask("document.querySelectorAll('#cells tbody tr:not([hidden])').length") == 13


def test_headers_stay_in_sight(browser: Tab, pages: Mapping[str, Path]) -> None:
    browser.open(pages["large"], width=700)
    seen = browser.ask("""(() => {
      const box = document.getElementById('cells').parentElement;
      box.scrollTo(200, 9000);
      const [frame, head, name] = [box, box.querySelector('thead th + th'), box.querySelectorAll('tbody th')[400]]
        .map((element) => element.getBoundingClientRect());
      return [head.top - frame.top, name.left - frame.left];
    })()""")
    assert max(map(abs, seen)) <= 2


def tabbed(browser: Tab, times: int) -> list[tuple[str, str, str]]:
    """Class, words and outline of what has the focus after each press of the Tab key."""
    press = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
    seen = []
    for _ in range(times):
        browser.call("Input.dispatchKeyEvent", type="keyDown", **press)
        browser.call("Input.dispatchKeyEvent", type="keyUp", **press)
        seen.append(
            browser.ask("""(() => {
          const e = document.activeElement, style = getComputedStyle(e);
          return [e.className, e.getAttribute('aria-label') || e.textContent.trim() || e.type, style.outlineWidth];
        })()""")
        )
    return [(one[0], one[1], one[2]) for one in seen]


def test_the_keyboard_reaches_everything(browser: Tab, pages: Mapping[str, Path]) -> None:
    browser.open(pages["breached"], width=1400)
    seen = tabbed(browser, 45)
    assert seen[0][:2] == ("skip", "Skip to the content")
    assert {outline for _, _, outline in seen[:-1] if outline} == {"3px"}
    words = {word for _, word, _ in seen}
    assert {
        "Drawing of the tables",
        "Matrix of attacks and tables",
        "search",
        "checkbox",
        "The map as a list",
    } <= words


@pytest.mark.parametrize(
    ("name", "dark"),
    [("breached", False), ("breached", True), ("odd", False), ("bare", True), ("review", False)],
)
def test_the_page_is_accessible(browser: Tab, pages: Mapping[str, Path], name: str, dark: bool) -> None:
    rules = (
        npm.installed(BROWSER, "the accessibility of the report") / "node_modules" / "axe-core" / "axe.min.js"
    )
    browser.open(pages[name], width=1400, dark=dark)
    browser.ask("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    browser.ask(rules.read_text(encoding="utf-8") + "; 0")
    found = browser.ask(
        "axe.run().then((r) => r.violations.map((v) => [v.id, v.nodes.slice(0, 3).map((n) => n.html)]))"
    )
    assert found == []
