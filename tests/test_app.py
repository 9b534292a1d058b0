"""The reference web application: what it does for a member, and what it refuses."""

import importlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text as sql
from starlette.testclient import TestClient

from tenantry.errors import ExemptRole
from tenantry.runtime import orm, tenant
from tests import skills_app
from tests.servers import Server
from tests.skills_app import MARKER, A, B, Person, Site, database, ids_of, queries

embedding: Any = importlib.import_module("app.embedding")
pytestmark = pytest.mark.pg(">=18")  # pgvector comes with the embedded server; nothing else differs


@pytest.fixture(scope="module")
def site(server: Server) -> Iterator[Site]:
    with skills_app.prepared(server) as site:
        yield site


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[TestClient]:
    with TestClient(site.app(), base_url="https://catalog.example") as client:
        yield client


@pytest.fixture
def fresh(client: TestClient) -> TestClient:
    client.cookies.clear()
    return client


@pytest.fixture
def admin(fresh: TestClient, site: Site) -> Person:
    return Person(fresh, A).sign_in(site.people[A][0])


def events(site: Site, tenant: str, columns: str = "action, outcome, metadata") -> list[tuple[Any, ...]]:
    """Those that the application wrote."""
    query = f"SELECT {columns} FROM audit_logs WHERE tenant_id = %s AND action NOT LIKE 'row.%%' ORDER BY seq"
    with site.db.connect() as conn:
        return conn.execute(query.encode(), [tenant]).fetchall()


def skill(site: Site, tenant: str) -> str:
    return ids_of(site.db, tenant)["skills"][0]


# What it does


@pytest.mark.parametrize(
    "path",
    ["/skills", "/similar?q=weekly+report", "/new", "/usage", "/keys", "/settings", "/admin", "/trail"],
)
def test_an_administrator_sees_every_page(admin: Person, path: str) -> None:
    answer = admin.get(path)
    assert answer.status_code == 200
    assert MARKER not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_skill_is_made_published_rated_reviewed_and_used(admin: Person, site: Site) -> None:
    text = {
        "name": "Weave <b>baskets</b>",
        "category": "craft",
        "description": "From willow.",
        "content": "<script>1",
    }
    made = admin.post("/skills", **text)
    assert made.status_code == 303
    path = made.headers["location"].removeprefix(admin.root)
    assert admin.post(f"{path}/versions", description="From reed.", content="Soak it.").status_code == 303
    for stars in (2, 4):  # the second rating takes the place of the first
        assert admin.post(f"{path}/ratings", rating=stars, comment="Holds.").status_code == 303
    scores = {"clarity": 9, "quality": 8, "safety": 7, "summary": "Sound."}
    assert admin.post(f"{path}/review", **scores).status_code == 303
    assert admin.post(f"{path}/review", **scores | {"summary": "Sounder."}).status_code == 303
    assert admin.post(f"{path}/uses").status_code == 303
    shown = admin.get(path).text
    assert "<b>" not in shown
    assert "&lt;b&gt;baskets" in shown
    for words in ("Soak it.", "From reed.", "★ 4", "Sounder.", "clarity 9/10", "used 1 time"):
        assert words in shown
    assert "Weave" in admin.get("/skills?q=baskets").text
    found = admin.get("/similar?q=weave+baskets+from+reed").text
    assert found.index("Weave") < found.index("distance")
    done = [action for action, actor in events(site, A, "action, actor_id") if actor]
    for action in ("skill.create", "skill.publish", "skill.rate", "skill.review", "skill.use"):
        assert action in done


def test_a_search_finds_what_the_tenant_may_see_best_match_first(site: Site) -> None:
    by_hand = (
        b"SELECT id, category FROM skills, websearch_to_tsquery('english', %(words)s) AS q"
        b" WHERE tenant_id = %(who)s AND search_vector @@ q AND %(category)s IN ('', category)"
        b" ORDER BY ts_rank(search_vector, q) DESC, id LIMIT 21 OFFSET %(skip)s"
    )
    words = "report OR review OR code"
    with site.db.connect() as conn:
        first: dict[str, Any] = {"words": words, "who": A, "category": "", "skip": 0}
        matches = conn.execute(by_hand, first).fetchall()
        assert len(matches) > 3
        for changed in ({}, {"skip": queries.PAGE}, {"category": matches[0][1]}, {"who": B}):
            asked = first | changed
            wanted = [id for id, _ in conn.execute(by_hand, asked)]
            with _session(site, asked["who"]) as session:
                found = queries.skills(session, words, asked["category"], asked["skip"] // queries.PAGE + 1)
                assert [skill.id for skill in found] == wanted, asked
                assert queries.skills(session, "nowhereatall", "", 1) == []


def test_a_search_of_a_large_tenant_reads_by_the_index(site: Site) -> None:
    with site.db.connect() as conn:
        conn.execute(
            "INSERT INTO skills (tenant_id, id, name, slug, description, category, content)"
            " SELECT %s, 'grown-' || i, 'Grown ' || i, 'grown-' || i, 'word' || i, 'grown', '' FROM generate_series(1, 5000) i",
            [A],
        )
        try:
            conn.execute("VACUUM ANALYZE skills")
            with _session(site, A) as session:
                assert [skill.id for skill in queries.skills(session, "word4711", "", 1)] == ["grown-4711"]
                scans = (
                    "SELECT pg_stat_get_xact_numscans('skills_search_idx'::regclass),"
                    " pg_stat_get_xact_tuples_returned('skills'::regclass)"  # by reading the whole table
                )
                assert session.execute(sql(scans)).one() == (1, 0)
        finally:
            conn.execute("DELETE FROM skills WHERE id LIKE 'grown-%'")


@contextmanager
def _session(site: Site, who: str) -> Iterator[orm.Session]:
    engine = database.make_engine(site.app_dsn)
    try:
        with tenant(who), orm.Session(engine) as session:
            yield session
    finally:
        engine.dispose()


def test_a_program_works_with_a_key_that_is_shown_once(admin: Person, site: Site) -> None:
    shown = admin.post("/keys", name="robot", days=30).text
    key = shown.partition('id="secret">')[2].partition("<")[0]
    assert key.startswith("sk_")
    assert key not in admin.get("/keys").text
    with site.db.connect() as conn:
        ((id, kept),) = conn.execute(
            "SELECT id, to_jsonb(k)::text FROM api_keys k WHERE name = 'robot'"
        ).fetchall()
    assert key not in kept
    robot, headers = admin.client, {"Authorization": f"Bearer {key}"}
    robot.cookies.clear()
    assert robot.get("/api/me", headers=headers).json()["email"] == site.people[A][0]
    new = {"name": "Fold paper", "category": "craft", "description": "A crane.", "content": "Fold."}
    made = robot.post("/api/skills", json=new, headers=headers)
    assert made.status_code == 201
    path = f"/api/skills/{made.json()['id']}"
    assert robot.post(f"{path}/versions", json={"description": "Two.", "content": "Fold twice."}, headers=headers).json() == {"id": "2"}  # fmt: skip
    assert robot.put(f"{path}/rating", json={"rating": 5}, headers=headers).status_code == 204
    assert robot.post(f"{path}/uses", headers=headers).status_code == 204
    whole = robot.get(path, headers=headers).json()
    assert (whole["content"], whole["average_rating"], whole["total_uses"]) == ("Fold twice.", 5.0, 1)
    near = robot.get("/api/similar", params={"q": "fold paper into a crane"}, headers=headers).json()
    assert near[0]["skill"]["name"] == "Fold paper"
    assert (
        robot.get("/api/skills", params={"q": "crane"}, headers=headers).json() == []
    )  # not in the description now
    assert {"tool": "api", "uses": 1} in robot.get("/api/usage", headers=headers).json()
    # The path may say the same tenant, and no other one.
    assert robot.get("/t/acme/api/me", headers=headers).status_code == 200
    assert robot.get("/t/default/api/me", headers=headers).status_code == 400
    admin.sign_in(site.people[A][0])
    assert admin.post(f"/keys/{id}/revoke").status_code == 303
    robot.cookies.clear()
    assert robot.get("/api/me", headers=headers).status_code == 401


def test_an_administrator_changes_settings_and_members(admin: Person, site: Site) -> None:
    admin.post("/settings")
    assert "switched off" in admin.get("/similar?q=report").text
    admin.post("/settings", semantic="true")
    assert "distance" in admin.get("/similar?q=report").text
    assert admin.post("/members", email="New@example.com", name="Newcomer").status_code == 303
    with site.db.connect() as conn:
        ((id,),) = conn.execute("SELECT id FROM users WHERE email = 'new@example.com'").fetchall()
    assert "Newcomer" in admin.get("/admin").text
    assert admin.post(f"/members/{id}/remove").status_code == 303
    assert "Newcomer" not in admin.get("/admin").text
    trail = admin.get("/trail").text
    for action in ("settings.update", "member.invite", "member.remove"):
        assert action in trail


def test_the_administrator_sees_one_tenant(admin: Person) -> None:
    tenants = admin.get("/admin").text.partition("<h2>Members</h2>")[0]
    assert re.findall(r'<td data-label="Short name">(.*?)</td>', tenants) == ["acme"]


# Signing in


def test_a_session_is_kept_as_a_hash_and_ends_on_the_server(fresh: TestClient, site: Site) -> None:
    person = Person(fresh, A)
    answer = person.post("/sign-in", email=site.people[A][0])
    secret = answer.text.partition("/sign-in/")[2].partition('"')[0]
    assert person.post("/session", secret="x" + secret[1:]).status_code == 403
    cookie = person.post("/session", secret=secret).headers["set-cookie"]
    for flag in ("HttpOnly", "Secure", "SameSite=lax", "Path=/t/acme"):
        assert flag in cookie
    ((action, outcome, actor, id),) = events(site, A, "action, outcome, actor_id, resource_id")[-1:]
    assert (action, outcome, actor) == ("auth.login", "success", id)
    token = fresh.cookies["catalog_session"]
    with site.db.connect() as conn:
        assert conn.execute("SELECT FROM sessions WHERE session_token = %s", [token]).fetchall() == []
    assert person.post("/session", secret=secret).status_code == 403  # once
    person.get("/skills")
    assert person.post("/sign-out").status_code == 303
    fresh.cookies.set("catalog_session", token)
    assert fresh.get("/t/acme/skills", follow_redirects=False).headers["location"] == "/t/acme/sign-in"


def test_without_development_mode_a_link_is_not_shown_and_nobody_learns_of_an_address(site: Site) -> None:
    with TestClient(skills_app.main.create_app(skills_app.settings.Settings(site.app_dsn))) as client:
        person = Person(client, A)
        known, unknown = (
            person.post("/sign-in", email=e).text for e in (site.people[A][0], "nobody@example.com")
        )
    assert known == unknown
    assert "/sign-in/" not in known


def test_a_link_and_a_session_of_one_tenant_are_nothing_in_another(fresh: TestClient, site: Site) -> None:
    a, b = Person(fresh, A), Person(fresh, B)
    secret = a.post("/sign-in", email=site.people[A][0]).text.partition("/sign-in/")[2].partition('"')[0]
    assert b.post("/session", secret=secret).status_code == 403
    assert "Sign in with the link" not in b.post("/sign-in", email=site.people[A][0]).text
    a.post("/session", secret=secret)
    token = fresh.cookies["catalog_session"]
    fresh.cookies.clear()
    fresh.cookies.set("catalog_session", token)  # sent to every path
    assert fresh.get("/t/acme/skills").status_code == 200
    assert fresh.get("/t/default/skills", follow_redirects=False).headers["location"] == "/t/default/sign-in"


# What it refuses


def test_what_is_refused_is_an_event(fresh: TestClient, site: Site) -> None:
    member = Person(fresh, A).sign_in(site.people[A][1])
    own, foreign = skill(site, A), skill(site, B)
    before = len(events(site, A))
    refused = [
        (member.get("/admin"), 403),
        (member.get("/trail"), 403),
        (member.post("/settings", semantic="true"), 403),
        (member.post(f"/skills/{own}/uses", csrf="wrong"), 403),
        (member.get(f"/skills/{foreign}"), 404),
        (member.post(f"/skills/{foreign}/ratings", rating=1), 404),
        (member.post(f"/skills/{own}/ratings", rating=9), 422),
        (member.post("/keys", name="bell\x07"), 422),
        (member.post(f"/keys/{ids_of(site.db, B)['api_keys'][0]}/revoke"), 404),
        (fresh.post(f"/t/acme/skills/{own}/uses", headers={"Origin": "https://evil.example"}), 403),
        (fresh.post(f"/t/acme/skills/{own}/uses", headers={"Sec-Fetch-Site": "same-site"}), 403),
        (member.post("/session", secret="guess"), 403),
        (
            Person(TestClient(fresh.app, base_url=str(fresh.base_url)), A).post(f"/skills/{own}/uses"),
            303,
        ),  # to sign in
    ]
    assert [answer.status_code for answer, _ in refused] == [status for _, status in refused]
    new = events(site, A)[before:]
    assert [action for action, _, _ in new] == [
        "member.list", "trail.read", "settings.update", "skill.use", "skill.read", "skill.rate", "skill.rate",
        "key.create", "key.revoke", "skill.use", "skill.use", "auth.login", "skill.use",
    ]  # fmt: skip
    assert [details["status"] for _, _, details in new] == [*(status for _, status in refused[:-1]), 401]
    assert [outcome for _, outcome, _ in new] == [
        "failure" if status == 422 else "denied" for _, status in refused
    ]
    tried = events(site, A, "resource_type, resource_id, actor_id")[before:]
    with site.db.connect() as conn:
        ((who,),) = conn.execute("SELECT id FROM users WHERE email = %s", [site.people[A][1]]).fetchall()
    assert tried[4] == ("skills", foreign, who)


def test_an_address_that_is_nothing_is_an_event_whatever_it_is_made_of(admin: Person, site: Site) -> None:
    for path in ("nothing", "skills/%00", "skills/" + "x" * 60_000, "%E2%82%AC%ff"):
        before = len(events(site, A))
        assert admin.client.get(f"/t/acme/{path}").status_code in (404, 422)
        ((action, _, details),) = events(site, A)[before:]
        assert action == ("skill.read" if "skills" in path else "request.refuse")
        assert details["path"] == f"/t/acme/{path}"[:500]


def test_an_event_says_who_did_it_in_which_request_and_what_changed(admin: Person, site: Site) -> None:
    admin.post("/settings", semantic="true")
    answer = admin.client.post(
        f"{admin.root}/settings", data={"csrf": admin.csrf}, follow_redirects=False,
        headers={"Sec-Fetch-Site": "same-origin", "X-Request-ID": "r-77", "User-Agent": "a browser"},
    )  # fmt: skip
    assert answer.status_code == 303
    with site.db.connect() as conn:
        found = conn.execute(
            "SELECT e.action, e.outcome, e.resource_type, e.resource_id, e.metadata, u.email, e.ip_address, e.user_agent"
            " FROM audit_logs e JOIN users u ON u.id = e.actor_id WHERE e.request_id = 'r-77' ORDER BY e.seq"
        ).fetchall()
    changed, told = found
    assert {row[5:] for row in found} == {(site.people[A][0], "testclient", "a browser")}
    assert changed[:4] == ("row.update", "success", "site_settings", "default")
    assert changed[4]["old"]["semantic_similarity_enabled"] is True
    assert changed[4]["new"]["semantic_similarity_enabled"] is False
    assert told[:5] == ("settings.update", "success", "site_settings", "default", {"semantic": False})
    shown = admin.get("/trail").text
    assert "<li>semantic_similarity_enabled: <del>True</del> → <ins>False</ins></li>" in shown
    assert '<span class="outcome success">success</span>' in shown
    member = Person(admin.client, A).sign_in(site.people[A][1])
    assert member.get("/trail").status_code == 403
    assert re.search(
        r'trail\.read</td><td [^>]*><span class="outcome denied">denied',
        Person(admin.client, A).sign_in(site.people[A][0]).get("/trail").text,
    )


def test_what_is_known_of_a_person_is_in_no_event(admin: Person, site: Site) -> None:
    assert admin.post("/members", email="nina@example.net", name="Nina Unusual").status_code == 303
    with site.db.connect() as conn:
        ((id,),) = conn.execute("SELECT id FROM users WHERE email = 'nina@example.net'").fetchall()
        assert conn.execute("SELECT count(*) FROM audit_logs WHERE resource_id = %s", [id]).fetchone() == (2,)
        kept = conn.execute("SELECT body FROM audit.personal WHERE subject = %s", [id]).fetchall()
        assert kept == [({"email": "nina@example.net", "name": "Nina Unusual"},)]
        ((text,),) = conn.execute("SELECT string_agg(e::text, '') FROM audit_logs e").fetchall()
        keys = conn.execute("SELECT key_hash FROM api_keys WHERE tenant_id = %s", [A]).fetchall()
    assert "nina" not in text.lower()
    assert not any(kept in text for (kept,) in keys)


def test_what_the_database_refuses_is_told_without_its_words(admin: Person, site: Site) -> None:
    with site.db.connect() as conn:
        ((id,),) = conn.execute(
            "SELECT requested_by FROM skill_reviews r JOIN users u ON u.id = requested_by"
            " WHERE r.tenant_id = %s AND u.email <> %s LIMIT 1", [A, site.people[A][0]]
        ).fetchall()  # fmt: skip
    for answer in (
        admin.post("/members", email=site.people[A][1]),
        admin.post("/members", email=site.people[B][1]),
        admin.post(f"/members/{id}/remove"),
    ):
        assert answer.status_code == 409
        assert "contradicts" in answer.text
        assert "constraint" not in answer.text
    action, outcome, details = events(site, A)[-1]
    assert (action, outcome, details["status"]) == ("member.remove", "failure", 409)


def test_nobody_is_served_without_a_tenant(fresh: TestClient, site: Site) -> None:
    for path in ("/", "/skills", "/t/nowhere/skills", "/api/me"):
        assert fresh.get(path).status_code == 404
    assert fresh.get("/api/me", headers={"Authorization": "Bearer sk_guess"}).status_code == 404
    assert fresh.get("/t/acme/api/me", headers={"Authorization": "Basic eDp5"}).status_code == 404
    assert fresh.get("/t/acme/api/me").status_code == 401
    assert fresh.get("/static/style.css").status_code == 200
    with site.db.connect() as conn:
        conn.execute("UPDATE tenants SET is_active = false WHERE id = %s", [A])
        suspended = fresh.get("/t/acme/skills")
        assert suspended.status_code == 403
        assert "default-src 'none'" in suspended.headers["content-security-policy"]
        assert suspended.headers["strict-transport-security"]
        conn.execute("UPDATE tenants SET is_active = true WHERE id = %s", [A])


def test_a_subdomain_names_the_tenant(site: Site) -> None:
    with TestClient(site.app(domain="example.com"), base_url="https://acme.example.com") as client:
        person = Person(client, A)
        person.root = ""
        person.sign_in(site.people[A][0])
        assert "Path=/;" in person.post("/sign-out").headers["set-cookie"]
        assert client.get("/t/default/skills").status_code == 400


def test_an_exempt_role_is_refused(site: Site) -> None:
    app = skills_app.main.create_app(skills_app.settings.Settings(site.db.dsn))
    with TestClient(app) as client, pytest.raises(ExemptRole, match="superuser"):
        client.get("/t/acme/skills")


# The stand-in for a model


def test_an_embedding_has_length_one_and_is_near_what_shares_its_words() -> None:
    def cosine(one: str, other: str) -> Any:
        return sum(x * y for x, y in zip(embedding.embed(one), embedding.embed(other), strict=True))

    for text in ("Draft a contract", "", "!", "日本語"):
        assert len(embedding.embed(text)) == 384
        assert cosine(text, text) == pytest.approx(1)
    assert cosine("draft contracts", "Drafts a contract") > cosine("draft contracts", "Plan a garden") + 0.1
