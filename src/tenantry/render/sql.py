"""Numbered SQL files for psql, each with a file under ``revert/`` that undoes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tenantry.errors import PlanError
from tenantry.plan import Backfill, Change, Plan
from tenantry.render import (
    CONSTRAINTS_NOW,
    CONSTRAINTS_WHY,
    GUARD_WHY,
    MADE_BY,
    ROW_SECURITY_OFF,
    ROW_SECURITY_RESET,
    ROW_SECURITY_WHY,
    File,
    Part,
    comment,
    ends_in,
    forward,
    guards,
    heading,
    next_number,
    numbered,
    parts,
    statements,
    stepwise,
    undo_heading,
    writes,
)

_NOTHING = "Nothing to undo: what the file did goes with the revert of an earlier one."


def render(
    plan: Plan, *, column: str, audit_table: str, first: int, existing: Mapping[str, str]
) -> tuple[File, ...]:
    """The files to write; none of them exists yet.

    ``column`` is the tenant column and ``audit_table`` the trail, both for file names. ``existing`` holds
    what is in the directory (path → text). Numbers follow the highest one there, or start at ``first``. A
    directory that ends in exactly these files is left as it is. Raises PlanError when an old revert file is
    in the way, and ValueError when a phase is not contiguous.
    """
    made = [(part, _apply(plan, part)) for part in parts(plan, column, audit_table)]
    names = numbered(existing)
    if ends_in(names, existing, [(part.title, text) for part, text in made]):
        paths = names[len(names) - len(made) :]
    else:
        number, width = next_number(existing, first)
        paths = [f"{n:0{width}d}_{part.title}.sql" for n, (part, _) in enumerate(made, number)]
        if stale := [f"revert/{path}" for path in paths if f"revert/{path}" in existing]:
            raise PlanError([f"{path}: its file is not there any more: delete it too" for path in stale])
    files = []
    for path, (part, text) in zip(paths, made, strict=True):
        files += [File(path, text), File(f"revert/{path}", _revert(plan, part))]
    return tuple(file for file in files if file.path not in existing)


def _apply(plan: Plan, part: Part) -> str:
    about = [part.about, _how(plan)]
    return _file(plan, part, about, [_applying(plan, step) for step in part.steps])


def _revert(plan: Plan, part: Part) -> str:
    about = [
        "Undoes the file of the same name in the directory above.",
        "Of several, the one with the highest number is the first to undo.",
        _how(plan),
    ]
    steps = [step for step in reversed(part.steps) if step.revert]
    if not steps:
        return _header([*about[:2], MADE_BY, _NOTHING]) + "\n"
    protect = ["\n".join([comment(GUARD_WHY), *found])] if (found := guards(plan)) else []
    return _file(plan, part, about, [*protect, *(_reverting(plan, step) for step in steps)])


def _how(plan: Plan) -> str:
    run = "Run it with: psql -X -v ON_ERROR_STOP=1 -f FILE"
    if stepwise(plan):
        return f"{run}\nNot one transaction: each step is its own, for short locks. Never with psql -1."
    return f"{run}\nOne transaction: all of it or nothing."


def _header(lines: Iterable[str]) -> str:
    return comment("\n".join(lines))


def _file(plan: Plan, part: Part, about: Sequence[str], blocks: Sequence[str]) -> str:
    whole = not stepwise(plan)
    pieces = [
        _header([about[0], MADE_BY, *about[1:]]),
        *(["BEGIN;"] if whole else []),
        f"{comment(ROW_SECURITY_WHY)}\n{ROW_SECURITY_OFF}",
        *([f"{comment(CONSTRAINTS_WHY)}\n{CONSTRAINTS_NOW}"] if whole and part.writes else []),
        *blocks,
        ROW_SECURITY_RESET,
        *(["COMMIT;"] if whole else []),
    ]
    return "\n\n".join(pieces) + "\n"


def _applying(plan: Plan, step: Change | Backfill) -> str:
    return _block(plan, step, heading(step), forward(step), inside=step.transactional)


def _reverting(plan: Plan, step: Change | Backfill) -> str:
    return _block(plan, step, undo_heading(step), statements(step.revert), inside=True)


def _block(plan: Plan, step: Change | Backfill, note: str, lines: tuple[str, ...], *, inside: bool) -> str:
    """A step's comments and statements: in a transaction of its own where the file is none, if it has several."""
    if stepwise(plan) and inside and len(lines) > 1:
        lines = ("BEGIN;", *([CONSTRAINTS_NOW] if writes(step) else []), *lines, "COMMIT;")
    return "\n".join([comment(note), *lines])
