"""The reference web application in a real browser: two people of two tenants use it, and one tries to reach the other."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from tests import npm, skills_app
from tests.chromium import Tab, tab
from tests.servers import Server
from tests.skills_app import MARKER, SLUGS, A, B, Site, forget_the_tenant, ids_of, rows_of

pytestmark = [pytest.mark.pg(">=18"), pytest.mark.xdist_group("browser")]

BROWSER = Path(__file__).parent / "browser"
PICTURES = Path(__file__).parents[1] / "docs" / "how-to"
PAGES = ("skills", "similar?q=weekly+report", "new", "usage", "keys", "settings", "admin", "trail")


@pytest.fixture(scope="module")
def site(server: Server) -> Iterator[Site]:
    with skills_app.prepared(server) as site:
        yield site


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[str]:
    """The application, served on the loopback interface over plain HTTP."""
    config = uvicorn.Config(
        site.app(secure_cookies=False), host="127.0.0.1", port=0, log_level="error", ws="none"
    )
    web = uvicorn.Server(config)
    thread = threading.Thread(target=web.run)
    thread.start()
    try:
        while not web.started and thread.is_alive():
            thread.join(0.05)
        yield f"http://127.0.0.1:{web.servers[0].sockets[0].getsockname()[1]}"
    finally:
        web.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[Tab]:
    with tab("the web application") as found:
        yield found


def sign_in(browser: Tab, site: Site, address: str, tenant: str) -> str:
    """Sign in as the tenant's administrator, as a person does; returns the address of the tenant."""
    home = f"{address}/t/{SLUGS[tenant]}"
    browser.call("Network.clearBrowserCookies")
    browser.open(f"{home}/skills", width=1200)
    assert browser.ask("location.pathname").endswith("/sign-in")
    browser.ask(f"document.querySelector('[name=email]').value = {json.dumps(site.people[tenant][0])}")
    browser.go("document.querySelector('main button').click()")
    browser.go("document.getElementById('link').click()")
    browser.go("document.querySelector('main button').click()")
    assert browser.ask("document.querySelector('h1').textContent") == "Skills"
    return home


def complaints(browser: Tab) -> list[object]:
    kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
    return [event for kind in kinds for event in browser.of(kind)]


def fill(browser: Tab, form: str, **fields: str) -> None:
    """Fill a form in and send it."""
    values = "".join(f"form.elements[{json.dumps(k)}].value = {json.dumps(v)};" for k, v in fields.items())
    browser.go(
        f"(() => {{ const form = document.querySelector({json.dumps(form)}); {values} form.requestSubmit(); }})()"
    )


def body(browser: Tab) -> str:
    return str(browser.ask("document.documentElement.outerHTML"))


@pytest.mark.parametrize("tenant", [A, B])
def test_each_tenant_uses_every_page(browser: Tab, site: Site, address: str, tenant: str) -> None:
    home = sign_in(browser, site, address, tenant)
    for page in PAGES:
        browser.open(f"{home}/{page}", width=1200)
        assert complaints(browser) == []
        assert {r["request"]["url"].partition("/t/")[0] for r in browser.of("Network.requestWillBeSent")} <= {
            address, f"{address}/static/style.css"
        }  # fmt: skip
        assert browser.ask("[...document.querySelectorAll('nav a[aria-current]')].length") == 1
        browser.size(400)
        assert browser.ask("document.documentElement.scrollWidth") <= 400
        assert (MARKER in body(browser)) == (tenant == B)
    browser.open(f"{home}/new", width=1200)
    fill(
        browser,
        "main form",
        name=f"Tie knots at {tenant[:4]}",
        category="craft",
        description=f"Bowline. {MARKER if tenant == B else ''}",  # every row of B has the marker
        content="# Knot",
    )
    assert browser.ask("document.querySelector('h1').textContent") == f"Tie knots at {tenant[:4]}"
    fill(browser, "#publish", content="# Knot\n\n1. Twice.")
    fill(browser, "#rate", rating="4", comment="It holds.")
    fill(browser, "#review", summary="Sound.")
    browser.go("document.getElementById('use').click()")
    shown = browser.ask("document.querySelector('main').innerText")
    for words in ("1. Twice.", "★ 4", "It holds.", "Sound.", "used 1 time"):
        assert words in shown
    browser.open(f"{home}/keys", width=1200)
    fill(browser, "main form", name="robot")
    assert browser.ask("document.getElementById('secret').textContent").startswith("sk_")
    browser.go("document.querySelector('td button').click()")
    browser.open(f"{home}/trail", width=1200)
    trail = browser.ask("document.querySelector('main').innerText")
    for action in (
        "auth.login",
        "skill.publish",
        "skill.rate",
        "skill.review",
        "skill.use",
        "key.create",
        "key.revoke",
    ):
        assert action in trail
    browser.go("document.querySelector('header button').click()")
    browser.open(f"{home}/skills", width=1200)
    assert browser.ask("location.pathname").endswith("/sign-in")


def test_nothing_of_the_other_tenant_is_reached(browser: Tab, site: Site, address: str) -> None:
    home = sign_in(browser, site, address, A)
    before = rows_of(site.db, B)
    assert pages_that_show_b(browser, site, home) == []
    # Every form that A has, aimed at the ids and at the address of B, sent from A's own pages.
    sent = set()
    for page in (*PAGES, f"skills/{ids_of(site.db, A)['skills'][0]}"):
        browser.open(f"{home}/{page}", width=1200)
        actions = browser.ask(
            "[...document.querySelectorAll('form[method=post]')].map((form) => form.getAttribute('action'))"
        )
        for number, action in enumerate(actions[:3] if page == "admin" else actions):
            for target in [] if action.endswith("/sign-out") else aimed(action, ids_of(site.db, B)):
                browser.open(f"{home}/{page}", width=1200)
                browser.go(submit(number, target))
                assert MARKER not in body(browser), target
                sent.add(target)
    assert len(sent) > 15
    assert rows_of(site.db, B) == before


def test_a_page_that_shows_the_other_tenant_would_be_seen(
    browser: Tab, site: Site, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = sign_in(browser, site, address, A)
    forget_the_tenant(monkeypatch)
    assert pages_that_show_b(browser, site, home) == []  # the database still holds
    with site.db.connect() as conn:
        conn.execute("ALTER TABLE skills DISABLE ROW LEVEL SECURITY")
        try:
            found = pages_that_show_b(browser, site, home)
        finally:
            conn.execute("ALTER TABLE skills ENABLE ROW LEVEL SECURITY")
    assert f"{home}/skills/{ids_of(site.db, B)['skills'][0]}" in found


def pages_that_show_b(browser: Tab, site: Site, home: str) -> list[str]:
    """Every page, at the address of A and of B, with ids of B in it where it takes one."""
    other = home.replace(SLUGS[A], SLUGS[B])
    pages = (*PAGES, *(f"skills/{id}" for id in ids_of(site.db, B, 3)["skills"]))
    found = []
    for url in (f"{root}/{page}" for page in pages for root in (home, other)):
        browser.open(url, width=1200)
        if MARKER in body(browser):
            found.append(url)
    return found


def aimed(action: str, theirs: dict[str, list[str]]) -> list[str]:
    """The action of a form with ids of B in it, and at the address of B."""
    parts = action.split("/")
    tables = {"skills": "skills", "keys": "api_keys", "members": "users"}
    targets = [action.replace("/t/acme", f"/t/{SLUGS[B]}", 1)]
    if len(parts) > 4:
        parts[4] = theirs[tables[parts[3]]][0]
        at_home = "/".join(parts)
        targets += [at_home, at_home.replace("/t/acme", f"/t/{SLUGS[B]}", 1)]
    return targets


def submit(number: int, action: str) -> str:
    """Send the form with that number, filled in, to another address."""
    return f"""(() => {{
      const form = document.querySelectorAll('form[method=post]')[{number}];
      for (const field of form.elements) {{
        if (!field.value && field.type !== 'checkbox') field.value = field.type === 'email' ? 'x@example.com' : 'x';
      }}
      form.setAttribute('action', {json.dumps(action)});
      form.submit();
    }})()"""


@pytest.mark.parametrize("dark", [False, True])
def test_the_pages_are_accessible(browser: Tab, site: Site, address: str, dark: bool) -> None:
    rules = (
        npm.installed(BROWSER, "the accessibility of the web application")
        / "node_modules"
        / "axe-core"
        / "axe.min.js"
    )
    home = sign_in(browser, site, address, A)
    for page in (*PAGES, f"skills/{ids_of(site.db, A)['skills'][0]}", "skills/none"):
        browser.open(f"{home}/{page}", width=1200, dark=dark)
        browser.ask("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
        browser.ask(rules.read_text(encoding="utf-8") + "; 0")
        found = browser.ask(
            "axe.run().then((r) => r.violations.map((v) => [v.id, v.nodes.slice(0, 3).map((n) => n.html)]))"
        )
        assert found == [], page


def test_the_keyboard_reaches_the_content_first(browser: Tab, site: Site, address: str) -> None:
    sign_in(browser, site, address, A)
    press = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
    seen = []
    for _ in range(14):
        browser.call("Input.dispatchKeyEvent", type="keyDown", **press)
        browser.call("Input.dispatchKeyEvent", type="keyUp", **press)
        seen.append(
            browser.ask(
                "[document.activeElement.textContent.trim(), getComputedStyle(document.activeElement).outlineWidth]"
            )
        )
    assert seen[0][0] == "Skip to the content"
    assert {width for _, width in seen} == {"3px"}
    assert {"Skills", "Trail", "Sign out"} <= {text for text, _ in seen}


def test_the_pictures_of_the_documentation_are_of_these_pages(browser: Tab, site: Site, address: str) -> None:
    """Made anew with TENANTRY_PICTURES=1; what is compared is their size."""
    home = sign_in(browser, site, address, A)
    skill = ids_of(site.db, A)["skills"][0]
    browser.call("Emulation.setScrollbarsHidden", hidden=True)
    browser.open(f"{home}/skills/{skill}", width=1100)
    fill(browser, "#rate", rating="5", comment="Saves me an hour a week.")
    browser.go("document.getElementById('use').click()")
    browser.open(f"{home}/settings", width=1100)
    browser.ask("document.querySelector('[name=semantic]').click()")
    fill(browser, "main form")
    browser.open(f"{home}/skills/{ids_of(site.db, B)['skills'][0]}", width=1100)
    for name, page, height, dark in (
        ("skills", "skills", 640, False),
        ("skill", f"skills/{skill}", 760, True),
        ("trail", "trail", 700, False),
    ):
        browser.open(f"{home}/{page}", width=1100, height=height, dark=dark)
        browser.ask("document.querySelectorAll('td details').forEach(each => each.open = true)")
        shot = base64.b64decode(browser.call("Page.captureScreenshot", format="png")["data"])
        picture = PICTURES / f"web-application-{name}.png"
        if "TENANTRY_PICTURES" in os.environ:
            picture.write_bytes(shot)
        assert picture.read_bytes()[:24] == shot[:24]  # signature, width and height
        assert picture.stat().st_size < 200_000
