"""Alembic revisions: a chain of one per phase on the project's head.

SQLAlchemy reads ``:name`` in SQL as a parameter, drivers read ``%``, and Alembic's offline mode changes tabs.
So each file carries a small ``_run`` that takes a statement unchanged to the server or the offline output.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

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
    forward,
    guards,
    heading,
    parts,
    statements,
    stepwise,
    undo_heading,
    writes,
)

_ONLINE = """\
Each step is a transaction of its own, so that locks are short; what ran before in the same command is
committed too. Let env.py configure transaction_per_migration=True, and open no transaction itself.
A file that failed halfway cannot run again: let `tenantry apply` finish, then `alembic stamp` it."""
_BACKFILL = "The backfill is one UPDATE for each table here; `tenantry apply` does it in small batches."

_RUN = '''\
def _run(statement: str) -> None:
    """Run a statement as it stands: a colon makes no parameter, and --sql prints it unchanged."""
    context = op.get_context()
    statement = statement.strip()
    if context.as_sql:
        context.impl.static_output(statement)
    else:
        op.execute(sa.text(statement.replace(":", "\\\\:")))
'''
_REFUSE = '''\
def _refuse_outer_transaction() -> None:
    """A step outside a transaction cannot run inside one that env.py has opened."""
    if getattr(op.get_context(), "_in_external_transaction", False):
        raise RuntimeError(
            "env.py opens a transaction, and these steps must run outside of one: "
            "let env.py connect() instead of begin(), or leave them to `tenantry apply`"
        )
'''
_AUTOCOMMIT = "    with op.get_context().autocommit_block():"
_DOWN_REVISION = re.compile(r"""^down_revision\b[^=\n]*=\s*["']([^"'\n]+)["']""", re.MULTILINE)


def render(
    plan: Plan, *, column: str, audit_table: str, heads: tuple[str, ...], existing: Mapping[str, str]
) -> tuple[File, ...]:
    """The revision files to write; none of them exists yet.

    ``column`` is the tenant column and ``audit_table`` the trail, both for file names; ``heads`` are the
    project's heads, and ``existing`` holds its versions directory (path → text). A project whose head is the
    end of exactly these revisions is left as it is. Raises PlanError for several heads, and ValueError when a
    phase is not contiguous.
    """
    if len(heads) > 1:
        raise PlanError(
            [f"alembic: there are {len(heads)} heads, {', '.join(heads)}: run `alembic merge heads` first"]
        )
    head = heads[0] if heads else None
    found = parts(plan, column, audit_table)
    if not found or any(_is_end(head, ids, found, existing) for ids in _made(found, plan, existing)):
        return ()
    ids = _ids(found, plan, head)
    downs = [head, *ids[:-1]]
    return tuple(
        File(_path(revision, part), _file(plan, part, revision, down))
        for part, revision, down in zip(found, ids, downs, strict=True)
    )


def _path(revision: str, part: Part) -> str:
    return f"{revision}_{part.title}.py"


def _ids(found: Sequence[Part], plan: Plan, parent: str | None) -> list[str]:
    """Revision ids: what a revision runs, and on what; the same plan on the same head gives the same ids."""
    ids: list[str] = []
    for part in found:
        parent = ids[-1] if ids else parent
        texts = [text for step in part.steps for text in (step.id, *forward(step), *step.revert)]
        content = "\0".join([parent or "", plan.profile, part.title, *texts, *guards(plan)])
        ids.append(hashlib.sha256(content.encode()).hexdigest()[:12])
    return ids


def _made(found: Sequence[Part], plan: Plan, existing: Mapping[str, str]) -> Iterator[list[str]]:
    """The ids these revisions have if they stand on what a file of the first one's title stands on."""
    for path, text in existing.items():
        if path.endswith(f"_{found[0].title}.py"):
            match = _DOWN_REVISION.search(text)
            yield _ids(found, plan, match[1] if match else None)


def _is_end(head: str | None, ids: Sequence[str], found: Sequence[Part], existing: Mapping[str, str]) -> bool:
    return ids[-1] == head and all(_path(i, part) in existing for i, part in zip(ids, found, strict=True))


def _file(plan: Plan, part: Part, revision: str, down: str | None) -> str:
    notes = [part.about, "", MADE_BY]
    if stepwise(plan):
        notes += ["", _ONLINE]
        if any(isinstance(step, Backfill) for step in part.steps):
            notes += [_BACKFILL]
    notes += ["", f"Revision ID: {revision}", *([f"Revises: {down}"] if down else [])]
    docstring = _escape("\n".join(notes))
    down_text = f'"{_escape(down)}"' if down else "None"
    pieces = [
        f'"""{docstring}\n"""\n',
        "import sqlalchemy as sa\nfrom alembic import op\n",
        f'revision = "{revision}"\ndown_revision = {down_text}\nbranch_labels = None\ndepends_on = None\n',
        f"\ndef upgrade() -> None:\n{_upgrade(plan, part)}\n",
        f"\ndef downgrade() -> None:\n{_downgrade(plan, part)}\n",
        f"\n{_RUN}",
        *([f"\n{_REFUSE}"] if stepwise(plan) else []),
    ]
    return "\n".join(pieces)


def _upgrade(plan: Plan, part: Part) -> str:
    blocks = [
        _block(plan, step, heading(step), forward(step), inside=step.transactional) for step in part.steps
    ]
    return _body(plan, part, blocks)


def _downgrade(plan: Plan, part: Part) -> str:
    steps = [step for step in reversed(part.steps) if step.revert]
    blocks = [_block(plan, step, undo_heading(step), statements(step.revert), inside=True) for step in steps]
    if not blocks:
        return '    """Nothing: what upgrade did goes with the downgrade of an earlier revision."""'
    if found := guards(plan):
        blocks.insert(0, _Block(GUARD_WHY, found, True))
    return _body(plan, part, blocks)


@dataclass(frozen=True, slots=True)
class _Block:
    """Statements under a comment; ``alone`` when each of them may be its own transaction."""

    note: str
    statements: tuple[str, ...]
    alone: bool

    def code(self, indent: int) -> list[str]:
        pad = " " * indent
        notes = comment(self.note, "#").split("\n") if self.note else []
        return [pad + line for line in (*notes, *map(_call, self.statements))]


def _block(plan: Plan, step: Change | Backfill, note: str, texts: tuple[str, ...], *, inside: bool) -> _Block:
    alone = not inside or len(texts) == 1
    if stepwise(plan) and writes(step) and not alone:
        texts = (CONSTRAINTS_NOW, *texts)
    return _Block(note, texts, alone)


def _body(plan: Plan, part: Part, blocks: Sequence[_Block]) -> str:
    """The lines of a function: the session setting around the blocks."""
    before = [_Block(ROW_SECURITY_WHY, (ROW_SECURITY_OFF,), True)]
    if part.writes and not stepwise(plan):
        before.append(_Block(CONSTRAINTS_WHY, (CONSTRAINTS_NOW,), True))
    blocks = [*before, *blocks, _Block("", (ROW_SECURITY_RESET,), True)]
    if not stepwise(plan):
        return "\n\n".join("\n".join(block.code(4)) for block in blocks)
    return "\n".join(["    _refuse_outer_transaction()", *_autocommitted(blocks)])


def _autocommitted(blocks: Sequence[_Block]) -> list[str]:
    """Blocks that stand alone go into autocommit blocks; entering one commits the transaction before it."""
    lines: list[str] = []
    for alone, group in groupby(blocks, key=lambda block: block.alone):
        if alone:
            lines.append(_AUTOCOMMIT)
            lines += [line for block in group for line in block.code(8)]
            continue
        for n, block in enumerate(group):
            lines += [_AUTOCOMMIT, "        pass  # commits the step above"] if n else []
            lines += block.code(4)
    return lines


def _call(text: str) -> str:
    if text.isascii() and text.isprintable() and len(text) < 50 and not set(text) & {'"', "\\"}:
        return f'_run("{text}")'
    return f'_run("""\n{_escape(text)}\n""")'


def _escape(text: str) -> str:
    """Text for the inside of a triple-quoted string; Python would read a carriage return as a line feed."""
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"').replace("\r", "\\r")
