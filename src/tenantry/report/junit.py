"""A record as JUnit XML, for the test views of CI servers: a test case for each attack on each object, and for each check.

The elements are those that Jenkins, GitLab and others read: ``testsuites``, ``testsuite``, ``testcase`` with
``failure``, ``error``, ``skipped``, ``system-out``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as Xml

from tenantry.counts import counted
from tenantry.finding import Finding, Outcome, Proof, Review
from tenantry.report import results

_FAILED = "check-failed"  # what a check finds of itself when it could not look; the object is its name


@dataclass(frozen=True, slots=True)
class Case:
    """One test case; without a kind it passed. ``said`` is what it wrote."""

    group: str
    name: str
    kind: Literal["", "failure", "error", "skipped"] = ""
    message: str = ""
    body: str = ""
    said: str = ""


def to_junit(record: Proof | Review) -> str:
    """All of a record. The suite ``verdict`` fails whenever the exit code would be 1."""
    root = Xml.Element("testsuites", name="tenantry")
    suites = _review(record) if isinstance(record, Review) else _proof(record)
    every = [case for name, cases in suites.items() for case in _suite(root, record, name, cases)]
    _count(root, every)
    Xml.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _suite(root: Xml.Element, record: Proof | Review, name: str, cases: list[Case]) -> list[Case]:
    suite = Xml.SubElement(root, "testsuite", name=name, timestamp=_text(record.when))
    _count(suite, cases)
    for case in cases:
        element = Xml.SubElement(
            suite, "testcase", classname=_text(case.group), name=_text(case.name), time="0"
        )
        if case.kind:
            said = Xml.SubElement(element, case.kind, message=_text(case.message))
            said.text = _text(case.body) or None
        if case.said:
            Xml.SubElement(element, "system-out").text = _text(case.said)
    return cases


def _count(element: Xml.Element, cases: list[Case]) -> None:
    kinds = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    element.set("tests", str(len(cases)))
    for attribute, kind in kinds.items():
        element.set(attribute, str(sum(case.kind == kind for case in cases)))


def _proof(proof: Proof) -> dict[str, list[Case]]:
    suites = {"attacks": [_attack(o) for o in proof.outcomes]}
    if proof.findings:
        suites["findings"] = [
            _found("prove", f"{f.check} on {f.object}", [f] if f.level == "error" else [], [f])
            for f in proof.findings
        ]
    message = f"{counted(len(proof.pending), 'step')} pending"
    state = Case("prove", "declared state", "failure", message, "\n".join(proof.pending))
    suites["state"] = [state if proof.pending else Case("prove", "declared state")]
    if proof.review is not None:
        suites |= {name: cases for name, cases in _review(proof.review).items() if name != "verdict"}
    suites["verdict"] = [_verdict("proven", proof.proven, "not proven")]
    return suites


def _verdict(name: str, good: bool, otherwise: str) -> Case:
    return Case("verdict", name) if good else Case("verdict", name, "failure", otherwise)


def _attack(outcome: Outcome) -> Case:
    said = "\n".join(f"{c.context}: {c.status}" for c in outcome.cells)
    why = results.why_unanswered(outcome)
    match outcome.status:
        case "breached":
            return Case(
                outcome.object, outcome.attack, "failure", outcome.detail or "breached", outcome.sql, said
            )
        case "skipped":
            return Case(outcome.object, outcome.attack, "skipped", why, said=said)
    return Case(outcome.object, outcome.attack, "error" if why else "", why, said=said)


def _review(review: Review) -> dict[str, list[Case]]:
    names = {check.slug for check in review.checks}
    cases = []
    for check in review.checks:
        mine = [f for f in review.findings if f.check == check.slug]
        failed = [f for f in review.findings if f.check == _FAILED and f.object == check.slug]
        name = f"{check.id} {check.slug}"
        if failed:
            cases.append(Case("check", name, "error", failed[0].message))
        elif check.slug in review.skipped:
            why = next((line for line in review.not_looked_at if re.search(rf"\b{check.slug}\b", line)), "")
            cases.append(Case("check", name, "skipped", why.partition(": ")[0] or "not run"))
        else:
            aside = [
                f"waived until {w.until}: {w.finding.message}: {w.reason}"
                for w in review.waived
                if w.finding.check == check.slug
            ]
            aside += [f"in the baseline: {f.message}" for f in review.known if f.check == check.slug]
            cases.append(_found("check", name, [f for f in mine if f.level == "error"], mine, aside))
    rest = [
        f for f in review.findings if f.check not in names and not (f.check == _FAILED and f.object in names)
    ]
    cases += [
        _found("check", f"{f.check} on {f.object}", [f] if f.level == "error" else [], [f]) for f in rest
    ]
    return {"checks": cases, "verdict": [_verdict("no error found", review.good, "errors found")]}


def _found(
    group: str, name: str, errors: list[Finding], every: list[Finding], aside: list[str] | None = None
) -> Case:
    """A case that fails by what is at error level; the rest is only said."""
    said = "\n".join([*(f"{f.level}: {f.message}" for f in every if f not in errors), *(aside or ())])
    if not errors:
        return Case(group, name, said=said)
    first = errors[0].message if len(errors) == 1 else f"{len(errors)} findings"
    return Case(group, name, "failure", first, "\n".join(_lines(errors)), said)


def _lines(findings: list[Finding]) -> Iterator[str]:
    for finding in findings:
        yield f"{finding.object}: {finding.message}  [{finding.fingerprint}]"
        if finding.fix:
            yield f"fix: {finding.fix}"


# What XML 1.0 cannot hold, not even escaped; a name in PostgreSQL may.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text(text: str) -> str:
    return _FORBIDDEN.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
