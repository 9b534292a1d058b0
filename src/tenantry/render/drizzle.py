"""Files and journal for drizzle-orm's migrator (journal version 7).

The migrator splits a file at its marker and sends each piece as one query, everything in one transaction.
It compares a journal entry's ``when`` with the newest applied one only, and skips what is not newer without
a word: so ``when`` must rise, and must not lie in the future, where it would eat the next entry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tenantry.errors import PlanError
from tenantry.plan import Plan
from tenantry.render import (
    CONSTRAINTS_NOW,
    CONSTRAINTS_WHY,
    MADE_BY,
    ROW_SECURITY_OFF,
    ROW_SECURITY_RESET,
    ROW_SECURITY_WHY,
    File,
    Part,
    comment,
    ends_in,
    forward,
    heading,
    next_number,
    numbered,
    parts,
)

JOURNAL = "meta/_journal.json"
MARKER = "--> statement-breakpoint"
_VERSION = "7"


def render(
    plan: Plan, *, column: str, audit_table: str, first: int, existing: Mapping[str, str], now_ms: int
) -> tuple[File, ...]:
    """The files to write: one for each phase, and the journal with their entries appended.

    ``existing`` holds what is in the directory (path → text) and ``now_ms`` is the time in milliseconds since
    1970. A folder whose journal ends in exactly these files is left as it is. Raises PlanError for steps that
    cannot run in the migrator's one transaction, and for a folder or journal that cannot be continued;
    ValueError when a phase is not contiguous.
    """
    if problems := [_outside(step.id) for step in plan if not step.transactional]:
        raise PlanError(problems)
    journal = _journal(existing)
    made = [(part.title, _text(part)) for part in parts(plan, column, audit_table)]
    entries: list[dict[str, Any]] = journal["entries"]
    if ends_in([f"{entry['tag']}.sql" for entry in entries], existing, made):
        return ()
    start, width = next_number(existing, first)
    index = max((entry["idx"] for entry in entries), default=start - 1) + 1
    number = max(start, index)
    tags = [f"{n:0{width}d}_{title}" for n, (title, _) in enumerate(made, number)]
    whens = _whens(entries, len(made), now_ms)
    for n, (tag, when) in enumerate(zip(tags, whens, strict=True)):
        entries.append({"idx": index + n, "version": _VERSION, "when": when, "tag": tag, "breakpoints": True})
    files = [File(f"{tag}.sql", text) for tag, (_, text) in zip(tags, made, strict=True)]
    return (*files, File(JOURNAL, _dump(journal, existing.get(JOURNAL, ""))))


def _outside(step: str) -> str:
    return (
        f"{step}: must run outside a transaction, and drizzle runs all files in one:"
        " use profile transactional, or `tenantry apply`"
    )


def _text(part: Part) -> str:
    """A file: pieces of one statement each, with the comments that belong to it above it."""
    about = comment(f"{part.about}\n{MADE_BY}")
    pieces = [f"{about}\n\n{comment(ROW_SECURITY_WHY)}\n{ROW_SECURITY_OFF}"]
    if part.writes:
        pieces.append(f"{comment(CONSTRAINTS_WHY)}\n{CONSTRAINTS_NOW}")
    for step in part.steps:
        head, *rest = forward(step)
        pieces += [f"{comment(heading(step))}\n{head}", *rest]
    if cut := [line for piece in pieces for line in piece.splitlines() if MARKER in line]:
        raise PlanError([f"{part.title}: drizzle would cut {cut[0]!r} in two: use `tenantry apply`"])
    return f"\n{MARKER}\n".join([*pieces, ROW_SECURITY_RESET]) + "\n"


def _journal(existing: Mapping[str, str]) -> dict[str, Any]:
    """The folder's journal, or a new one for an empty folder; checked as far as it is used."""
    text = existing.get(JOURNAL)
    if text is None:
        if names := numbered(existing):
            raise PlanError(
                [f"{names[0]}: is there without {JOURNAL}: name drizzle's folder, or an empty one"]
            )
        return {"version": _VERSION, "dialect": "postgresql", "entries": []}
    try:
        journal = json.loads(text)
        entries = [(entry["idx"], entry["when"], entry["tag"]) for entry in journal["entries"]]
        version, dialect = journal["version"], journal["dialect"]
    except (ValueError, TypeError, KeyError) as error:
        raise PlanError([f"{JOURNAL}: is no journal of drizzle ({error!r}): restore it"]) from error
    if version != _VERSION:
        raise PlanError([f"{JOURNAL}: has version {version!r}, not {_VERSION!r}: run `drizzle-kit up` first"])
    if dialect != "postgresql":
        raise PlanError([f"{JOURNAL}: is for {dialect!r}: name the folder of a PostgreSQL database"])
    if not all(type(i) is int and type(when) is int and isinstance(tag, str) for i, when, tag in entries):
        raise PlanError([f"{JOURNAL}: an idx or when is no whole number, or a tag no text: restore it"])
    result: dict[str, Any] = journal
    return result


def _whens(entries: Sequence[Mapping[str, Any]], count: int, now_ms: int) -> range:
    """The last ``count`` milliseconds up to now, when all of them are newer than every entry."""
    newest = max(entries, key=lambda entry: int(entry["when"]), default=None)
    start = now_ms - count + 1
    if newest is None or newest["when"] < start:
        return range(start, now_ms + 1)
    if newest["when"] <= now_ms:
        raise PlanError([f"{JOURNAL}: entry {newest['tag']} was made just now: render again in a second"])
    problem = (
        f"{JOURNAL}: entry {newest['tag']} has a when of {newest['when']}, in the future, and drizzle"
        " would silently skip every file added before then: set its when to the time it was made, in the"
        " journal and, where it is applied, in created_at of drizzle.__drizzle_migrations"
    )
    raise PlanError([problem])


def _dump(journal: Mapping[str, Any], before: str) -> str:
    """JSON as drizzle-kit writes it, which ends without a line feed; one that is there already stays."""
    text = json.dumps(journal, indent=2, ensure_ascii=False)
    return f"{text}\n" if before.endswith("\n") else text
