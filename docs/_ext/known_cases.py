"""The page of known ways past isolation: what finds each, from coverage.csv beside this file.

Columns: id, title, checks (slugs), attacks (names), remark. A case that nothing finds says why in its remark.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tenantry import checks

# First letter of the id: what the cases are about.
TOPICS = {
    "R": "Roles, sessions, rights of the server", "P": "Policies and what they cover",
    "V": "Views, functions, triggers, other doors", "K": "Keys, constraints, statements", "S": "Side channels",
    "O": "Operations and the trail", "G": "The setting and poolers", "T": "Plans, replication, the server",
    "I": "Speed and completeness",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One known way past isolation."""

    id: str
    title: str
    checks: tuple[str, ...]
    attacks: tuple[str, ...]
    remark: str


def cases() -> tuple[Case, ...]:
    """Every case, in the order of the file."""
    with (Path(__file__).parent / "coverage.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Case(
                row["id"],
                row["title"],
                tuple(row["checks"].split()),
                tuple(row["attacks"].split()),
                row["remark"],
            )
            for row in csv.DictReader(file, delimiter=";")
        )


def page() -> str:
    """The tables, topic by topic. Raises KeyError for a check that there is not."""
    ids = {check.slug: check.id for check in checks.all_checks()}
    return "\n\n".join("\n".join(_topic(*topic, ids)) for topic in TOPICS.items())


def _topic(letter: str, title: str, ids: dict[str, str]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield "| case | what is tried or happens | checks | attacks | remark |"
    yield "|---|---|---|---|---|"
    for case in cases():
        if case.id.startswith(letter):
            found = ", ".join(f"[{slug}](checks.md#{ids[slug]}-{slug})" for slug in case.checks)
            attacks = ", ".join(f"`{name}`" for name in case.attacks)
            cells = (case.id, _prose(case.title), found, attacks, _prose(case.remark))
            yield "| " + " | ".join(cells) + " |"


def _prose(text: str) -> str:
    return text.replace("_", "\\_").replace("*", "\\*")
