"""The reference web application in tests: a converted database with two tenants, and people who use it."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo
from sqlalchemy import true
from sqlalchemy.orm import with_loader_criteria
from starlette.testclient import TestClient

from tenantry.apply import apply
from tenantry.runtime import orm
from tests import reference
from tests.servers import Database, Server

if str(reference.EXAMPLE) not in sys.path:
    sys.path.insert(0, str(reference.EXAMPLE))
database: Any = importlib.import_module("app.database")
main: Any = importlib.import_module("app.main")
prepare: Any = importlib.import_module("app.prepare")
queries: Any = importlib.import_module("app.queries")
settings: Any = importlib.import_module("app.settings")

A, B = "acme", reference.DEFAULT
SLUGS = {A: "acme", B: "default"}
# In every text that a person of B wrote: whoever reads it has read B's rows.
MARKER = "Zyxomma"
# Text columns that take the marker, and what may be appended to without changing what a row means.
MARKED = {
    "users": "name", "skills": "description", "skill_versions": "description", "ratings": "comment",
    "skill_reviews": "summary", "api_keys": "name", "site_settings": "ollama_model", "usage_events": "tool_name",
    "skill_embeddings": "model_version",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Site:
    """A prepared database, and the addresses of an administrator and of another member of each tenant."""

    db: Database
    app_dsn: str
    people: dict[str, tuple[str, str]]

    def app(self, **changed: Any) -> Any:
        """The application; its sign-in links are shown."""
        return main.create_app(settings.Settings(self.app_dsn, show_links=True, **changed))


@contextmanager
def prepared(server: Server, scale: float = 0.02) -> Iterator[Site]:
    """Convert the example, add a tenant, mark every row of B, and prepare for the application."""
    with server.databases() as make:
        db = make()
        reference.load(db, scale=scale)
        apply(db.dsn, reference.plan(db, "online"))
        app_dsn = make_conninfo(db.dsn, user="app_user")
        people = {}
        with db.connect() as conn:
            conn.execute("INSERT INTO tenants (id, name, slug) VALUES (%s, 'Acme', %s)", [A, SLUGS[A]])
            reference.data.generate(conn, scale=scale, tenant=A)
            for table, column in MARKED.items():
                conn.execute(
                    f"UPDATE {table} SET {column} = concat({column}, ' {MARKER}') WHERE tenant_id = %s".encode(),
                    [B],
                )
            for tenant in (A, B):
                people[tenant] = prepare.make_administrator(conn, tenant)
                prepare.embed_all(app_dsn, tenant)
        yield Site(db, app_dsn, people)


class Person:
    """Somebody with a browser, at the pages of one tenant."""

    def __init__(self, client: TestClient, tenant: str) -> None:
        self.client = client
        self.root = f"/t/{SLUGS[tenant]}"
        self.csrf = ""

    def get(self, path: str) -> Any:
        """A page; its form token is kept."""
        answer = self.client.get(self.root + path, follow_redirects=True)
        if found := re.search(r'name="csrf" value="(\w+)"', answer.text):
            self.csrf = found[1]
        return answer

    def post(self, path: str, **fields: Any) -> Any:
        """A form of the own site; the answer is not followed."""
        return self.client.post(
            self.root + path, data={"csrf": self.csrf, **fields}, headers={"Sec-Fetch-Site": "same-origin"},
            follow_redirects=False,
        )  # fmt: skip

    def sign_in(self, email: str) -> Person:
        """By the link that the page shows."""
        link = re.search(r'href="([^"]*/sign-in/[^"]+)"', self.post("/sign-in", email=email).text)
        assert link is not None
        answer = self.post("/session", secret=link[1].rpartition("/")[2])
        assert answer.status_code == 303, answer.text
        assert self.get("/skills").status_code == 200
        return self


def rows_of(db: Database, tenant: str) -> dict[str, Any]:
    """Rows and checksum of everything that is a tenant's, login tables and trail included; of the trail without what
    was refused at the tenant's own address."""
    wheres = dict.fromkeys(reference.NINE, "t.tenant_id = %(tenant)s")
    wheres["tenants"] = "t.id = %(tenant)s"
    for table in ("accounts", "sessions"):
        wheres[table] = "t.user_id IN (SELECT id FROM users WHERE tenant_id = %(tenant)s)"
    wheres["verification_tokens"] = "t.identifier IN (SELECT email FROM users WHERE tenant_id = %(tenant)s)"
    wheres["audit_logs"] = "t.tenant_id = %(tenant)s AND (t.outcome = 'success' OR t.actor_id IS NOT NULL)"
    found = {}
    with db.connect() as conn:
        for table, where in wheres.items():
            query = (
                f"SELECT count(*), sum(hashtextextended(to_jsonb(t)::text, 0)) FROM {table} t WHERE {where}"
            )
            found[table] = conn.execute(query.encode(), {"tenant": tenant}).fetchone()
    return found


def ids_of(db: Database, tenant: str, limit: int = 5) -> dict[str, list[str]]:
    """Some ids of a tenant, by table: what an attacker of another one may know."""
    with db.connect() as conn:
        return {
            table: [
                row[0]
                for row in conn.execute(
                    f"SELECT id::text FROM {table} WHERE tenant_id = %s ORDER BY id LIMIT {limit}".encode(),
                    [tenant],
                )
            ]
            for table in reference.NINE
        }


def text_of(answer: Any) -> str:
    """Everything that an answer says, JSON's escapes undone."""
    kind = answer.headers.get("content-type", "")
    body = json.dumps(answer.json(), ensure_ascii=False) if "json" in kind and answer.content else answer.text
    return f"{body}\n{dict(answer.headers)}"


def forget_the_tenant(patch: pytest.MonkeyPatch) -> None:
    """No query says whose rows it is about."""
    patch.setattr(queries, "own", lambda *columns: true())
    patch.setattr(orm, "_CRITERIA", with_loader_criteria(orm.Owned, lambda cls: true()))
