"""A plan as files for a team's own migrator: plain SQL, Drizzle or Alembic.

Pure: what is in the directory comes in as text, and what to write comes out. A file holds one phase. Nothing
that is there is ever overwritten, save Drizzle's journal, which is a list to append to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from tenantry.plan import Backfill, Change, Lock, Phase, Plan

MADE_BY = "Made by `tenantry render` from tenantry.toml; never edited by hand."
ROW_SECURITY_OFF = "SET row_security = off;"
ROW_SECURITY_RESET = "RESET row_security;"
# Said where row_security is switched off: without it the files could do nothing and succeed.
ROW_SECURITY_WHY = "The owner of a table under FORCE ROW LEVEL SECURITY gets an error instead of no rows."
CONSTRAINTS_NOW = "SET CONSTRAINTS ALL IMMEDIATE;"
# What an update has put off to the end of the transaction forbids to alter its table before that.
CONSTRAINTS_WHY = "A table with a deferred check or trigger pending cannot be altered."
GUARD_WHY = "Stops here where undoing would lose or merge data."

_NUMBERED = re.compile(r"(\d+)_[^/]*\.sql")
_WIDTH = 4


@dataclass(frozen=True, slots=True)
class File:
    """A file to write; ``path`` is relative to the directory and uses ``/``."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """The steps that go into one file; ``title`` is its name without number, ``about`` one sentence."""

    title: str
    about: str
    steps: tuple[Change | Backfill, ...]

    @property
    def writes(self) -> bool:
        """True when a step changes rows."""
        return any(map(writes, self.steps))


def writes(step: Change | Backfill) -> bool:
    """True for a step that changes rows."""
    return step.lock is Lock.ROW_EXCLUSIVE


def parts(plan: Plan, column: str, audit_table: str) -> tuple[Part, ...]:
    """The plan by phase, in plan order; phases without steps make no part.

    Raises ValueError when the steps of a phase are not contiguous.
    """
    found = [(phase, tuple(steps)) for phase, steps in groupby(plan, key=lambda step: step.phase)]
    if len({phase for phase, _ in found}) < len(found):
        raise ValueError(f"the steps of a phase are not contiguous: {', '.join(phase for phase, _ in found)}")
    return tuple(
        Part(_title(phase, column, audit_table), _about(phase, column), steps) for phase, steps in found
    )


def _title(phase: Phase, column: str, audit_table: str) -> str:
    match phase:
        case Phase.TENANTS:
            return "add_tenants"
        case Phase.COLUMNS:
            return f"add_{_slug(column)}_columns"
        case Phase.BACKFILL:
            return f"backfill_{_slug(column)}"
        case Phase.ENFORCE:
            return f"enforce_{_slug(column)}"
        case Phase.AUDIT:
            return f"create_{_slug(audit_table)}"
        case Phase.HARDEN | Phase.OBSERVE | Phase.CUTOVER:
            return phase.value


def _slug(name: str) -> str:
    """A name as part of a file name that every file system and migrator takes."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name)


def _about(phase: Phase, column: str) -> str:
    match phase:
        case Phase.TENANTS:
            return "The tenants table and the tenants that are there from the start."
        case Phase.COLUMNS:
            return f"The column {column} on the tenant tables; it may still be empty."
        case Phase.BACKFILL:
            return "Existing rows get their tenant. Safe to run again: filled rows stay as they are."
        case Phase.ENFORCE:
            return f"No row without {column}; keys within a tenant; row level security."
        case Phase.AUDIT:
            return "The audit trail, append-only."
        case Phase.HARDEN:
            return "What is still open: references across tenants, defaults, roles and grants."
        case Phase.OBSERVE:
            return "Policies that hide nothing yet, and record what they would have hidden."
        case Phase.CUTOVER:
            return "The policies decide, and what old code leaned on goes."


def comment(text: str, mark: str = "--") -> str:
    """Text as comment lines; a line break in it (a name may hold one) starts another comment line."""
    return "\n".join(f"{mark} {line}".rstrip() for line in re.split(r"\r\n|\r|\n", text))


def heading(step: Change | Backfill) -> str:
    """What stands in comments above the SQL that applies a step: why, its id, the lock it takes."""
    lock = "no table lock" if step.lock is Lock.NONE else f"lock {step.lock}"
    outside = "" if step.transactional else "; outside a transaction"
    return f"{step.why}\nStep {step.id}; {lock}{outside}."


def undo_heading(step: Change | Backfill) -> str:
    """What stands in comments above the SQL that reverts a step."""
    return f"Undoes: {step.why}\nStep {step.id}{'; DESTROYS DATA' if step.destructive else ''}."


def statement(text: str) -> str:
    """One SQL statement, ended with a semicolon."""
    text = text.strip()
    if text.endswith(";"):
        return text
    # A semicolon behind a line comment would be part of it.
    return f"{text}\n;" if "--" in text.rpartition("\n")[2] else f"{text};"


def statements(texts: Iterable[str]) -> tuple[str, ...]:
    """SQL statements, each ended with a semicolon."""
    return tuple(statement(t) for t in texts)


def forward(step: Change | Backfill) -> tuple[str, ...]:
    """The statements that apply a step; one outside a transaction first clears what a broken try left."""
    match step:
        case Change(cleanup=cleanup) if cleanup:
            return statements((cleanup, *step.apply))
        case _:
            return statements(step.apply)


def guards(plan: Plan) -> tuple[str, ...]:
    """Statements that stop a revert, with a sentence that says why: the plan's guards and the backfills' own.

    A guard whose table or column is gone already has nothing left to protect.
    """
    merged = [
        (
            step.foreign_rows,
            f"rows of {step.object} belong to a tenant that the backfill's source does not give:"
            " they would be merged with the others",
        )
        for step in plan
        if isinstance(step, Backfill) and step.foreign_rows
    ]
    return tuple(
        _guard(query.strip().removesuffix(";"), sentence) for query, sentence in (*plan.guards, *merged)
    )


def _guard(query: str, sentence: str) -> str:
    tag, n = "$guard$", 1
    while tag in query or tag in sentence:
        tag, n = f"$guard{n}$", n + 1
    quoted = "'" + sentence.replace("'", "''") + "'"
    return "\n".join([
        f"DO {tag}",
        "BEGIN",
        f"    IF ({query}) <> 0 THEN",
        f"        RAISE EXCEPTION USING MESSAGE = {quoted};",
        "    END IF;",
        "EXCEPTION WHEN undefined_table OR undefined_column THEN",
        "    NULL;",
        "END",
        f"{tag};",
    ])  # fmt: skip


def stepwise(plan: Plan) -> bool:
    """True when a transaction around a whole file would break the plan or undo its purpose, short locks."""
    return plan.profile == "online" or any(not step.transactional for step in plan)


def numbered(existing: Mapping[str, str]) -> list[str]:
    """The numbered SQL files of a directory, in order of their numbers."""
    names = [name for name in existing if _NUMBERED.fullmatch(name)]
    return sorted(names, key=lambda name: (_number(name), name))


def _number(name: str) -> int:
    return int(name.partition("_")[0])


def next_number(existing: Mapping[str, str], first: int) -> tuple[int, int]:
    """The number after the highest one, or ``first`` when there is none; and how many digits to write."""
    names = numbered(existing)
    if not names:
        return first, _WIDTH
    return _number(names[-1]) + 1, len(names[-1].partition("_")[0])


def ends_in(names: Sequence[str], existing: Mapping[str, str], wanted: Sequence[tuple[str, str]]) -> bool:
    """True when the last of ``names`` are the wanted (title, text) pairs already."""
    last = names[len(names) - len(wanted) :] if len(names) >= len(wanted) else ()
    found = [(name.partition("_")[2].removesuffix(".sql"), existing.get(name)) for name in last]
    return found == list(wanted)
