"""What static checks found, for people and for programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from tenantry.counts import counted
from tenantry.finding import LEVELS, Check, Finding, Level, Review

VERSION = 1
_WIDTH = 110
_SHOWN = 5  # findings of one check, of which more are counted
_SCREEN = 40  # lines of findings; checks that begin after them are told in one line each


def to_text(review: Review) -> str:
    """The verdict first, then findings by level and check, what was set aside, and what was not looked at."""
    return "\n".join(_lines(review)) + "\n"


def to_json(review: Review) -> str:
    """The whole record, with ``"version": 1``; also what ``--baseline`` reads."""
    return (
        json.dumps({"version": VERSION, "kind": "check"} | record(review), indent=1, ensure_ascii=False)
        + "\n"
    )


def record(review: Review) -> dict[str, Any]:
    """A review as JSON has it; also within a proof."""
    return {
        "good": review.good,
        "when": review.when,
        "server": review.server,
        "role": review.role,
        "tenancy": review.tenancy,
        "findings": [finding(f) for f in review.findings],
        "waived": [
            finding(w.finding) | {"reason": w.reason, "until": w.until.isoformat()} for w in review.waived
        ],
        "known": [finding(f) for f in review.known],
        "gone": review.gone,
        "skipped": review.skipped,
        "checks": [_check(c) for c in review.checks],
        "not_looked_at": review.not_looked_at,
    }


def finding(found: Finding) -> dict[str, Any]:
    """A finding as JSON has it."""
    return asdict(found) | {"fingerprint": found.fingerprint}


def _check(check: Check) -> dict[str, Any]:
    return {key: getattr(check, key) for key in ("id", "slug", "level", "title", "why", "fix", "controls")}


def _lines(review: Review) -> Iterator[str]:
    yield _verdict(review)
    yield f"{review.when}  {review.server}  as {review.role or 'a role that is not known'}  {review.tenancy}"
    known = {check.slug: check for check in review.checks}
    written = 0
    for level in LEVELS:
        groups: dict[str, list[Finding]] = {}
        for finding in review.findings:
            if finding.level == level:
                groups.setdefault(finding.check, []).append(finding)
        for slug, found in groups.items():
            group = _group(level, known.get(slug), found)
            if written >= _SCREEN and level != "error":
                group = [f"{group[0]} ({len(found)})"]
            else:
                yield ""
            written += len(group)
            yield from group
    yield from _aside(review)
    yield ""
    yield "Not looked at:"
    for line in review.not_looked_at:
        yield from _wrapped(f"  - {line}", "    ")


def _verdict(review: Review) -> str:
    counts = {level: sum(f.level == level for f in review.findings) for level in LEVELS}
    parts = [counted(number, level) for level, number in counts.items() if number]
    parts += [f"{len(review.waived)} waived"] if review.waived else []
    parts += [f"{len(review.known)} in the baseline"] if review.known else []
    if review.skipped:
        parts.append(f"{len(review.skipped)} of {counted(len(review.checks), 'check')} not run")
    return f"{'NO ERROR FOUND' if review.good else 'ERRORS FOUND'}: {', '.join(parts) or 'nothing at all'}"


def _group(level: Level, check: Check | None, found: Sequence[Finding]) -> list[str]:
    first = found[0]
    name = f"{check.id} {check.slug}: {check.title}" if check is not None else first.check
    lines = _wrapped(f"{level.upper()} {name}", "  ")
    for finding in found[:_SHOWN]:
        lines += _wrapped(f"  - {finding.message}  [{finding.fingerprint}]", "    ")
    if len(found) > _SHOWN:
        lines.append(f"  - and {len(found) - _SHOWN} more; --format json lists them all")
    if check is not None and level != "note":
        lines += _wrapped(f"  why: {check.why}", "    ")
    return lines + (_wrapped(f"  fix: {first.fix}", "    ") if first.fix else [])


def _aside(review: Review) -> Iterator[str]:
    if review.waived or review.gone:
        yield ""
    for waived in review.waived:
        yield from _wrapped(
            f"WAIVED until {waived.until} {waived.finding.check}: {waived.finding.message}: {waived.reason}",
            "  ",
        )
    if review.gone:
        yield f"{counted(len(review.gone), 'finding')} of the baseline {'is' if len(review.gone) == 1 else 'are'} gone; write it anew"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
