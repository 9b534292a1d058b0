"""A proof for people and for programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from tenantry.finding import Outcome, Proof, Status

VERSION = 1
_WIDTH = 110
_SCREEN = 24  # tables in the matrix; of more, only those where something did not hold are listed
_WORST: Sequence[Status] = ("breached", "error", "skipped", "held")
_MARKS: dict[Status, str] = {"held": "✓", "breached": "✗", "skipped": "–", "error": "?"}
_PENDING = 5


def to_text(proof: Proof) -> str:
    """The verdict first, then what speaks against it, then what held and what was not looked at."""
    return "\n".join(_lines(proof)) + "\n"


def to_json(proof: Proof) -> str:
    """The whole record, with ``"version": 1`` and the verdict."""
    findings = [asdict(f) | {"fingerprint": f.fingerprint} for f in proof.findings]
    record = {"version": VERSION, "proven": proof.proven} | asdict(proof) | {"findings": findings}
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def _lines(proof: Proof) -> Iterator[str]:
    yield _verdict(proof)
    yield f"{proof.when}  {proof.server}  as {proof.role}"
    for outcome in _sorted(proof, "breached"):
        yield ""
        yield from _wrapped(f"BREACHED {outcome.attack} on {outcome.object}: {outcome.detail}", "  ")
        yield f"  {outcome.sql}"
    yield from _found(proof)
    yield from _pending(proof)
    yield from _unclear(proof)
    yield from _matrix(proof.outcomes)
    if proof.not_looked_at:
        yield ""
        yield "Not looked at:"
        for line in proof.not_looked_at:
            yield from _wrapped(f"  - {line}", "    ")


def _verdict(proof: Proof) -> str:
    counts = {status: len(list(_sorted(proof, status))) for status in _WORST}
    tries = sum(o.tries for o in proof.outcomes)
    parts = [
        f"{counts['held']} of {_count(len(proof.outcomes), 'attack')} held ({_count(tries, 'statement')})"
    ]
    parts += [f"{counts[s]} {word}" for s, word in _COUNTED if counts[s]]
    silent = sum(not o.control_fired for o in proof.outcomes if o.status == "held")
    parts += [f"{silent} held without a control"] if silent else []
    errors = sum(f.level == "error" for f in proof.findings)
    parts += [_count(errors, "finding")] if errors else []
    parts += [f"{_count(len(proof.pending), 'step')} pending"] if proof.pending else []
    return f"{'PROVEN' if proof.proven else 'NOT PROVEN'}: {', '.join(parts)}"


_COUNTED: Sequence[tuple[Status, str]] = (
    ("breached", "breached"),
    ("error", "without an answer"),
    ("skipped", "skipped"),
)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _sorted(proof: Proof, status: Status) -> Iterator[Outcome]:
    return (o for o in proof.outcomes if o.status == status)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _found(proof: Proof) -> Iterator[str]:
    if proof.findings:
        yield ""
    for finding in sorted(proof.findings, key=lambda f: ("error", "warning", "note").index(f.level)):
        yield from _wrapped(
            f"{finding.level.upper()} {finding.check} on {finding.object}: {finding.message}", "  "
        )
        if finding.fix:
            yield f"  fix: {finding.fix}"


def _pending(proof: Proof) -> Iterator[str]:
    if proof.pending:
        yield ""
        yield "PENDING: the database is not in the declared state; `tenantry plan` shows why:"
        yield from (f"  {step}" for step in proof.pending[:_PENDING])
    if len(proof.pending) > _PENDING:
        yield f"  and {len(proof.pending) - _PENDING} more"


def _unclear(proof: Proof) -> Iterator[str]:
    """What gave no answer, said once for all attacks on an object that gave none for the same reason."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    words = {"error": "NO ANSWER", "skipped": "SKIPPED"}
    for status, word in words.items():
        for o in (o for o in proof.outcomes if o.status == status):
            groups.setdefault((word, o.object, o.detail), []).append(o.attack)
    if groups:
        yield ""
    for (word, name, detail), attacks in groups.items():
        yield from _wrapped(f"{word} {', '.join(attacks)} on {name}: {detail}", "  ")


def _matrix(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Tables down, attacks across; the worst of several outcomes counts."""
    if not outcomes:
        return
    attacks = list(dict.fromkeys(o.attack for o in outcomes))
    cells: dict[str, dict[str, Status]] = {}
    for o in outcomes:
        row = cells.setdefault(o.object, {})
        row[o.attack] = min(row.get(o.attack, "held"), o.status, key=_WORST.index)
    shown = cells
    if len(cells) > _SCREEN:
        shown = {name: row for name, row in cells.items() if set(row.values()) != {"held"}}
    yield ""
    if shown:
        width = max(len(name) for name in shown)
        yield "  ".join([" " * width, *attacks])
        for name, row in shown.items():
            marks = [(_MARKS[row[a]] if a in row else " ").ljust(len(a)) for a in attacks]
            yield "  ".join([name.ljust(width), *marks]).rstrip()
        yield "✓ held  ✗ breached  ? no answer  – skipped"
    if len(shown) < len(cells):
        yield f"{_count(len(cells) - len(shown), 'table')} more, where every attack held"
