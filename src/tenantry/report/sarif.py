"""A record as SARIF 2.1.0 (OASIS standard), for code scanning.

Section numbers are those of the standard. Every result has a physical location when there is something to anchor
it to, because code scanning shows no other, and a logical one always.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tenantry import __version__
from tenantry.finding import Proof, Review
from tenantry.report import results
from tenantry.report.anchors import Anchor, Anchors
from tenantry.report.results import Result, Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_FINGERPRINT = "tenantry/v1"
_SEVERITY = {"error": "8.0", "warning": "5.0", "note": "2.0"}  # code scanning: high, medium, low


def to_sarif(record: Proof | Review, anchors: Anchors, attacks: Mapping[str, str]) -> str:
    """One run. ``attacks`` are names and what is lost when they are not refused."""
    rules = results.rules(record, attacks)
    index = {rule.id: number for number, rule in enumerate(rules)}
    verb = "check" if isinstance(record, Review) else "prove"
    baseline = _baseline(record)
    run = {
        "tool": {"driver": {"name": "Tenantry", "version": __version__, "rules": [_rule(r) for r in rules]}},
        "automationDetails": {"id": f"tenantry/{verb}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(record)],
        "results": [_result(r, index, anchors, baseline) for r in results.of(record)],
        "properties": {"verdict": _verdict(record), "server": record.server, "role": record.role},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1, ensure_ascii=False) + "\n"


def _verdict(record: Proof | Review) -> str:
    if isinstance(record, Review):
        return "no error found" if record.good else "errors found"
    return "proven" if record.proven else "not proven"


def _baseline(record: Proof | Review) -> bool:
    review = record if isinstance(record, Review) else record.review
    return review is not None and bool(review.known or review.gone)


def _rule(rule: Rule) -> dict[str, Any]:
    """reportingDescriptor, 3.49."""
    found: dict[str, Any] = {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why or rule.title},
        "help": {"text": rule.fix or rule.why or rule.title},
        "defaultConfiguration": {"level": rule.level},
        "properties": {"tags": ["security", "multi-tenancy"], "security-severity": _SEVERITY[rule.level]},
    }
    if rule.number:
        found["properties"] |= {"check": rule.number, "controls": rule.controls}
    return found


def _result(result: Result, index: Mapping[str, int], anchors: Anchors, baseline: bool) -> dict[str, Any]:
    """result, 3.27."""
    finding = result.finding
    parts = [
        finding.message,
        f"Statement: {result.sql}" if result.sql else "",
        f"Fix: {finding.fix}" if finding.fix else "",
    ]
    found: dict[str, Any] = {
        "ruleId": finding.check,
        "ruleIndex": index[finding.check],
        "kind": "fail",
        "level": finding.level,
        "message": {"text": "\n".join(filter(None, parts))},
        "locations": [_location(finding.object, anchors.of(finding))],
        "partialFingerprints": {_FINGERPRINT: finding.fingerprint},
    }
    if baseline:
        found["baselineState"] = "unchanged" if result.known else "new"
    if result.waived is not None:
        reason = f"{result.waived.reason} (until {result.waived.until.isoformat()})"
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
    return found


def _location(name: str, at: Anchor | None) -> dict[str, Any]:
    """location, 3.28."""
    found: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": name}]}
    if at is not None:
        artifact = {"uri": _uri(at.file)}
        if not at.file.startswith("/"):
            artifact["uriBaseId"] = "%SRCROOT%"
        found["physicalLocation"] = {"artifactLocation": artifact, "region": {"startLine": at.line}}
    return found


def _uri(path: str) -> str:
    """A path as a URI reference (RFC 3986): what is no path character is percent-encoded."""
    plain = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
    encoded = (chr(b) if chr(b) in plain else f"%{b:02X}" for b in path.encode("utf-8", "surrogateescape"))
    return ("file://" if path.startswith("/") else "") + "".join(encoded)


def _invocation(record: Proof | Review) -> dict[str, Any]:
    """invocation, 3.20: it ran to its end; what it did not look at are notifications."""
    notes = [{"level": "note", "message": {"text": text}} for text in _not_looked_at(record)]
    found: dict[str, Any] = {"executionSuccessful": True, "toolExecutionNotifications": notes}
    if record.when.endswith("+00:00"):
        found["endTimeUtc"] = record.when.removesuffix("+00:00") + "Z"
    return found


def _not_looked_at(record: Proof | Review) -> Iterator[str]:
    yield from (f"not looked at: {line}" for line in record.not_looked_at)
    if isinstance(record, Proof) and record.review is not None:
        seen = set(record.not_looked_at)
        yield from (f"not looked at: {line}" for line in record.review.not_looked_at if line not in seen)
