"""An attacker who is signed in to tenant A and knows ids of tenant B, at every operation of the application's OpenAPI."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.skills_app import MARKER, A, B, Person, Site, ids_of, text_of

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What a body or a query might carry into an application that takes more than it asked for.
_SMUGGLED = ("tenant_id", "user_id", "author_id", "requested_by", "id")
# Asking for a link at the page of B is what anybody may do, and leaves a link there.
_ANYBODYS = {("POST", "/sign-in")}
# What takes the attacker's own means away comes last; signing out last of all.
_LATE = ("settings", "members", "keys", "sign-out")


@dataclass(slots=True)
class Attacker:
    """``leaks`` is what came back of B's rows; ``answers`` counts the statuses of each operation at home."""

    site: Site
    client: TestClient
    known: Mapping[str, list[str]]
    own: Mapping[str, list[str]]
    unknown: frozenset[str]
    key: str
    session: str = ""
    csrf: str = ""
    leaks: list[str] = field(default_factory=list)
    answers: dict[str, Counter[int]] = field(default_factory=dict)

    def sign_in(self) -> None:
        """A new session of an administrator of A."""
        self.client.cookies.clear()
        person = Person(self.client, A).sign_in(self.site.people[A][0])
        self.session, self.csrf = self.client.cookies["catalog_session"], person.csrf
        self.client.cookies.clear()

    def attack(self, method: str, path: str, case: Any, rng: Random) -> None:
        """Send one case: at home, and at the address of B."""
        ids = {name: self._id(path, str(value), rng) for name, value in (case.path_parameters or {}).items()}
        url = re.sub(r"\{(\w+)\}", lambda m: ids[m[1]], path)
        sent: dict[str, Any] = {"params": self._mixed(_fields(case.query), rng)}
        if case.media_type == "application/json" and isinstance(case.body, dict):
            sent["json"] = self._mixed(case.body, rng)
        elif isinstance(case.body, dict):
            sent["data"] = self._mixed(case.body, rng) | {"csrf": self.csrf}
        elif method != "GET":
            sent["data"] = {"csrf": self.csrf}
        home = self._send(method, "/t/acme" + url, sent)
        self.answers.setdefault(f"{method} {path}", Counter())[home] += 1
        if (method, path) not in _ANYBODYS:
            self._send(method, "/t/default" + url, sent)

    def _send(self, method: str, url: str, sent: Mapping[str, Any]) -> int:
        if not re.fullmatch(r"[!-~]+", url):
            url = "".join(c if "!" <= c <= "~" else "_" for c in url)
        headers = {"Sec-Fetch-Site": "same-origin", "X-Tenant": B, "X-Tenant-Id": B}
        if "/api/" in url:
            headers["Authorization"] = f"Bearer {self.key}"
        else:
            headers["Cookie"] = f"catalog_session={self.session}"
        self.client.cookies.clear()
        answer = self.client.request(method, url, headers=headers, follow_redirects=False, **sent)
        text = text_of(answer)
        if MARKER in text:
            self.leaks.append(f"{method} {url}: a text of B")
        if found := self.unknown.intersection(_UUID.findall(text)):
            self.leaks.append(f"{method} {url}: ids of B, {sorted(found)[:3]}")
        return answer.status_code

    def _id(self, path: str, made: str, rng: Random) -> str:
        table = next((t for t, part in _TABLES.items() if f"/{part}/" in path), "skills")
        turn = sum(map(sum, map(Counter.values, self.answers.values()))) % 5
        return made or "x" if turn == 4 else rng.choice((self.known if turn % 2 else self.own)[table])

    def _mixed(self, fields: Mapping[str, Any], rng: Random) -> dict[str, Any]:
        every = [id for ids in self.known.values() for id in ids] + [B, f"' OR tenant_id = '{B}' --"]
        mixed = {
            name: rng.choice(every) if isinstance(value, str) and rng.random() < 0.3 else value
            for name, value in fields.items()
        }
        if "email" in fields and rng.random() < 0.5:
            mixed["email"] = f"{rng.getrandbits(64)}@example.com"
        if rng.random() < 0.5:
            mixed |= {name: B if name == "tenant_id" else rng.choice(every) for name in _SMUGGLED}
        return mixed


_TABLES = {"skills": "skills", "api_keys": "keys", "users": "members"}


def _fields(value: Any) -> dict[str, Any]:
    return {k: v for k, v in (value or {}).items() if isinstance(v, str | int)}


def prepare(site: Site, client: TestClient) -> Attacker:
    """An administrator of A with a session and a key, who knows five ids of each table of B and some addresses."""
    known, own = ids_of(site.db, B), ids_of(site.db, A, 8)
    with site.db.connect() as conn:
        every = {
            row[0]
            for table in (
                "skills",
                "skill_versions",
                "ratings",
                "users",
                "api_keys",
                "usage_events",
                "skill_reviews",
            )
            for row in conn.execute(f"SELECT id::text FROM {table} WHERE tenant_id = %s".encode(), [B])
        }
        known["addresses"] = [
            row[0] for row in conn.execute("SELECT email FROM users WHERE tenant_id = %s LIMIT 5", [B])
        ]
    person = Person(client, A).sign_in(site.people[A][0])
    key = person.post("/keys", name="attacker", days=9).text.partition('id="secret">')[2].partition("<")[0]
    unknown = every.difference(*known.values())
    return Attacker(site, client, known, own, frozenset(unknown), key)


def run(attacker: Attacker, app: Any, examples: int, only: Callable[[str], bool] = lambda path: True) -> None:
    """Every operation, with so many cases each, always the same ones."""
    schema: Any = schemathesis.openapi.from_dict(app.openapi())
    operations = [found.ok() for found in schema.get_all_operations()]
    operations.sort(key=lambda o: (o.method.upper() != "GET", any(word in o.path for word in _LATE), o.path))
    attacker.sign_in()
    for operation in operations:
        if only(operation.path):
            _each(attacker, operation, examples)


def _each(attacker: Attacker, operation: Any, examples: int) -> None:
    @hypothesis.settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @hypothesis.given(operation.as_strategy(), st.randoms(use_true_random=False))
    def attack(case: Any, rng: Random) -> None:
        attacker.attack(operation.method.upper(), operation.path, case, rng)

    attack()
