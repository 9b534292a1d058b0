"""Records to write reports of: proofs that held, that did not, and large ones. Made up, and the same each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from tenantry import checks
from tenantry.attacks import ATTACKS
from tenantry.finding import Cell, ContextName, Finding, Outcome, Place, Proof, Review, Status, Waived

WHY = {attack.NAME: attack.WHY for attack in ATTACKS}
VERBS = ("plan", "read", "insert", "update", "move", "delete", "prepared", "reference")
CONTEXTS: tuple[ContextName, ...] = ("unset", "empty", "ghost", "tenant")
ODD = 'a "b"\x01<script>alert(1)</script>\u202e%&,:\n\'x ✓'  # a name may be that


def outcome(attack: str, name: str, status: Status = "held", only: Sequence[ContextName] = ()) -> Outcome:
    """An outcome with all of its cells; ``only`` are the contexts in which it had ``status``."""
    cells = tuple(Cell(c, status if not only or c in only else "held") for c in CONTEXTS)
    match status:
        case "held":
            return Outcome(attack, name, "held", 5, True, cells=cells)
        case "breached":
            verb = "DELETE FROM" if attack == "delete" else "SELECT * FROM"
            sql = f"BEGIN;\nSET LOCAL ROLE app_user;\n{verb} {name};\nROLLBACK;"
            return Outcome(attack, name, "breached", 5, True, "without a tenant: rows came back", sql, cells)
    return Outcome(attack, name, status, 1, False, "no rows: could not look")


def places(count: int) -> tuple[Place, ...]:
    """Tables of a shop, and more of the same kind: each refers to some before it, and all to the tenants."""
    first = ("users", "orders", "order_lines", "products", "invoices", "payments", "countries", "reviews")
    names = [*first, *(f"{first[n % 6]}_{n:04}" for n in range(8, count))][: max(count - 1, 2)]
    found = [Place("tenants", "tenants", rows=12)]
    for n, name in enumerate(names):
        scope = "shared" if name == "countries" else "ignored" if n % 97 == 96 else "tenant"
        parents = [names[n // 2]] if n % 5 and scope == "tenant" and n else []
        parents += [names[n // 3]] if n % 7 == 3 else []
        refers = (
            *dict.fromkeys(p for p in parents if p != name),
            *(("tenants",) if scope == "tenant" else ()),
        )
        found.append(Place(name, scope, refers, rows=n * 1000))
    return tuple(found)


def review(*findings: Finding, skipped: Sequence[str] = ()) -> Review:
    """A review with some findings, a waiver and a baseline."""
    waived = Finding(
        "publication-rows", "warning", "warehouse", "warehouse publishes every row", "a row filter"
    )
    return Review(
        "2026-11-22T12:00:00+00:00", "PostgreSQL 18.6, database shop", "app_user", "tenant_id = app.current_tenant_id",
        checks.all_checks(), tuple(skipped), findings, ("other schemas: audit", "the application and its backups"),
        (Waived(waived, "the warehouse is ours", date(2027, 6, 30)),),
        (Finding("unique-global", "warning", "users", "users_email_key is unique across tenants", detail="users_email_key"),),
        ("0123456789abcdef",),
    )  # fmt: skip


def proof(count: int = 9, *outcomes: Outcome, findings: Sequence[Finding] = (), **fields: object) -> Proof:
    """A proof of so many tables, all held but for the outcomes given."""
    there = places(count)
    other = {(o.attack, o.object): o for o in outcomes}
    mine = [p.name for p in there if p.scope in ("tenant", "tenants")]
    all_of_them = [
        other.pop((verb, name)) if (verb, name) in other else outcome(verb, name)
        for name in mine
        for verb in VERBS
    ]
    made = Proof(
        "2026-11-22T12:00:00+00:00", "PostgreSQL 18.6, database shop", "app_user (logged in as app_user)", (),
        tuple(findings), (*all_of_them, *other.values()),
        ("rows of shared tables, which every tenant reads: countries", "large objects, publications, backups"),
        review=review(Finding("set-config", "warning", "set_config", "app_user may call set_config", "REVOKE it.")),
        fingerprint="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", places=there, seconds=12.34,
    )  # fmt: skip
    return replace(made, **fields)  # type: ignore[arg-type]


def breached(count: int = 9) -> Proof:
    """A proof with breaches, missing answers, pending steps and findings."""
    return proof(
        count,
        outcome("read", "orders", "breached", ("unset", "empty")),
        outcome("delete", "orders", "breached", ("tenant",)),
        outcome("update", "payments", "error"),
        outcome("move", "payments", "skipped"),
        findings=(Finding("role.superuser", "error", "app_user", "app_user is a superuser", "ALTER ROLE app_user NOSUPERUSER"),),
        pending=("enforce.users.tenant_id.not_null", "harden.grants"),
        review=review(
            Finding("rls-off", "error", "invoices", "invoices has no row level security", "ENABLE and FORCE it."),
            *(Finding("tenant-mutable", "note", p.name, f"app_user may change the tenant of {p.name}", "Grant columns.")
              for p in places(count)),
            skipped=("fk-not-enforced",),
        ),
    )  # fmt: skip
