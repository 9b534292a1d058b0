"""A record as workflow commands: each finding is an annotation in GitHub's view of a change.

Escaping as in the ``@actions/core`` toolkit: percent signs and line ends in the message, colons and commas too
in properties.
"""

from __future__ import annotations

from collections.abc import Iterator

from tenantry.finding import Proof, Review
from tenantry.report import results
from tenantry.report.anchors import Anchors
from tenantry.report.results import Result

_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
_SHOWN = 10  # annotations of one command that GitHub keeps for a step


def to_github(record: Proof | Review, anchors: Anchors) -> str:
    """One command a line, worst first; what is waived or known is left out. The last line is the verdict."""
    found = [r for r in results.of(record) if r.counts]
    lines = [_command(r, anchors) for r in found]
    return "\n".join([*lines, *_end(record, found)]) + "\n"


def _command(result: Result, anchors: Anchors) -> str:
    finding = result.finding
    properties = {"title": f"{finding.check} on {finding.object}"}
    if (at := anchors.of(finding)) is not None:
        properties = {"file": at.file, "line": str(at.line)} | properties
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    parts = [finding.message, result.sql, f"fix: {finding.fix}" if finding.fix else ""]
    return f"::{_COMMANDS[finding.level]} {given}::{_message(chr(10).join(filter(None, parts)))}"


def _end(record: Proof | Review, found: list[Result]) -> Iterator[str]:
    good = record.good if isinstance(record, Review) else record.proven
    word = (
        ("no error found" if good else "errors found")
        if isinstance(record, Review)
        else ("proven" if good else "not proven")
    )
    errors = sum(r.finding.level == "error" for r in found)
    more = "; GitHub shows the first 10 of each kind as annotations" if len(found) > _SHOWN else ""
    yield _plain(f"tenantry: {word}, {errors} of {len(found)} at error level{more}")


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def _plain(text: str) -> str:
    return text.replace("\n", " ")
