"""A proof for people and for programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from tenantry.counts import counted
from tenantry.finding import LEVELS, Finding, Outcome, Proof, Status
from tenantry.report import findings, results

VERSION = 1
_WIDTH = 110
_SCREEN = 24  # tables in the matrix; of more, only those where something did not hold are listed
_WORST: Sequence[Status] = ("breached", "error", "skipped", "held")
_MARKS: dict[Status, str] = {"held": "✓", "breached": "✗", "skipped": "–", "error": "?"}
_PENDING = 5
_SHOWN = 6  # of each kind; of more, the rest is counted


def to_text(proof: Proof) -> str:
    """The verdict first, then what speaks against it, then what held and what was not looked at."""
    return "\n".join(_lines(proof)) + "\n"


def to_json(proof: Proof) -> str:
    """The whole record, with ``"version": 1`` and the verdict."""
    record = {
        "version": VERSION,
        "kind": "proof",
        "proven": proof.proven,
        "when": proof.when,
        "server": proof.server,
        "role": proof.role,
        "mode": proof.mode,
        "seconds": proof.seconds,
        "fingerprint": proof.fingerprint,
        "pending": proof.pending,
        "findings": [findings.finding(f) for f in proof.findings],
        "outcomes": [asdict(o) for o in proof.outcomes],
        "review": findings.record(proof.review) if proof.review is not None else None,
        "places": [asdict(p) for p in proof.places],
        "not_looked_at": proof.not_looked_at,
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def _lines(proof: Proof) -> Iterator[str]:
    yield _verdict(proof)
    yield f"{proof.when}  {proof.server}  as {proof.role}"
    yield from _breached(proof)
    yield from _found(proof)
    yield from _pending(proof)
    yield from _unclear(proof)
    yield from _matrix(proof.outcomes)
    left_out = [*proof.not_looked_at, *(proof.review.not_looked_at if proof.review is not None else ())]
    if left_out:
        yield ""
        yield "Not looked at:"
        for line in dict.fromkeys(left_out):
            yield from _wrapped(f"  - {line}", "    ")


def _breached(proof: Proof) -> Iterator[str]:
    """The attacks that breached an object in one entry, with the shortest statement of them all."""
    groups = list(results.breaches(proof).items())
    for name, found in groups[:_SHOWN]:
        yield ""
        attacks = ", ".join(dict.fromkeys(o.attack for o in found))
        yield from _wrapped(f"BREACHED {attacks} on {name}: {found[0].detail}", "  ")
        yield f"  {found[0].sql}"
    if len(groups) > _SHOWN:
        yield f"{len(groups) - _SHOWN} more objects breached; --format html or json lists them all"


def _verdict(proof: Proof) -> str:
    counts = {status: len(list(_sorted(proof, status))) for status in _WORST}
    tries = sum(o.tries for o in proof.outcomes)
    parts = [
        f"{counts['held']} of {counted(len(proof.outcomes), 'attack')} held ({counted(tries, 'statement')})"
    ]
    parts += [f"{counts[s]} {word}" for s, word in _COUNTED if counts[s]]
    silent = sum(not o.control_fired for o in proof.outcomes if o.status == "held")
    parts += [f"{silent} held without a control"] if silent else []
    errors = sum(f.level == "error" for f in _all(proof))
    parts += [counted(errors, "finding")] if errors else []
    parts += [f"{counted(len(proof.pending), 'step')} pending"] if proof.pending else []
    return f"{'PROVEN' if proof.proven else 'NOT PROVEN'}: {', '.join(parts)}"


_COUNTED: Sequence[tuple[Status, str]] = (
    ("breached", "breached"),
    ("error", "without an answer"),
    ("skipped", "skipped"),
)


def _sorted(proof: Proof, status: Status) -> Iterator[Outcome]:
    return (o for o in proof.outcomes if o.status == status)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _all(proof: Proof) -> list[Finding]:
    """The findings of the proof itself and of its static checks, worst first."""
    found = [*proof.findings, *(proof.review.findings if proof.review is not None else ())]
    return sorted(found, key=lambda f: LEVELS.index(f.level))


def _found(proof: Proof) -> Iterator[str]:
    """Findings of the proof, and of the static checks those at error level: the others are counted."""
    listed = [f for f in _all(proof) if f.level == "error" or f in proof.findings]
    if listed:
        yield ""
    for finding in listed[:_SHOWN]:
        yield from _wrapped(
            f"{finding.level.upper()} {finding.check} on {finding.object}: {finding.message}", "  "
        )
        if finding.fix:
            yield from _wrapped(f"  fix: {finding.fix}", "    ")
    if len(listed) > _SHOWN:
        yield f"{counted(len(listed) - _SHOWN, 'finding')} more; --format html or json lists them all"
    rest = len(_all(proof)) - len(listed)
    if rest:
        yield f"{counted(rest, 'finding')} of static checks below error level; `tenantry check` lists them"


def _pending(proof: Proof) -> Iterator[str]:
    if proof.pending:
        yield ""
        yield "PENDING: the database is not in the declared state; `tenantry plan` shows why, `tenantry apply` mends it:"
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
    for (word, name, detail), attacks in list(groups.items())[:_SHOWN]:
        yield from _wrapped(f"{word} {', '.join(attacks)} on {name}: {detail}", "  ")
    if len(groups) > _SHOWN:
        yield f"{len(groups) - _SHOWN} more without an answer; --format html or json lists them all"


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
        worst = sorted(cells.items(), key=lambda item: min(map(_WORST.index, item[1].values())))
        shown = {name: row for name, row in worst[:_SCREEN] if set(row.values()) != {"held"}}
    yield ""
    if shown:
        width = max(len(name) for name in shown)
        yield "  ".join([" " * width, *attacks])
        for name, row in shown.items():
            marks = [(_MARKS[row[a]] if a in row else " ").ljust(len(a)) for a in attacks]
            yield "  ".join([name.ljust(width), *marks]).rstrip()
        yield "✓ held  ✗ breached  ? no answer  – skipped"
    rest = [set(row.values()) == {"held"} for name, row in cells.items() if name not in shown]
    if held := sum(rest):
        yield f"{counted(held, 'table')} more, where every attack held"
    if held < len(rest):
        yield f"{counted(len(rest) - held, 'table')} more, where not every attack held; --format html shows all"
