"""Findings that somebody answers for: waivers of the spec, and the baseline of a database that is not clean yet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from tenantry.errors import SpecError
from tenantry.finding import Finding, Review, Waived
from tenantry.waiver import Waiver


def apply(review: Review, waivers: Sequence[Waiver], today: date) -> Review:
    """Set waived findings aside; a waiver that is out of date, or that matches nothing, is a finding itself.

    What a check that was not run would have found is not known, so its waivers are left alone.
    """
    counted, waived = [], []
    used: set[int] = set()
    ids = {check.slug: check.id for check in review.checks}
    for finding in review.findings:
        matching = [n for n, w in enumerate(waivers) if _matches(w, finding, ids)]
        used.update(matching)
        valid = next((waivers[n] for n in matching if waivers[n].until >= today), None)
        if valid is None:
            counted.append(finding)
        else:
            waived.append(Waived(finding, valid.reason, valid.until))
    unseen = {name for slug in review.skipped for name in (slug, ids[slug])}
    counted += _stale(waivers, used, unseen, today)
    return replace(review, findings=tuple(counted), waived=tuple(waived))


def _matches(waiver: Waiver, finding: Finding, ids: dict[str, str]) -> bool:
    if waiver.fingerprint is not None:
        return waiver.fingerprint == finding.fingerprint
    return waiver.check in (finding.check, ids.get(finding.check)) and waiver.object == finding.object


def _stale(waivers: Sequence[Waiver], used: set[int], unseen: set[str], today: date) -> Iterator[Finding]:
    for number, waiver in enumerate(waivers):
        name = waiver.fingerprint or f"{waiver.check} on {waiver.object}"
        looked = waiver.check not in unseen if waiver.check is not None else not unseen
        if number not in used and looked:
            yield Finding(
                "waiver-unmatched", "warning", name, "the waiver matches no finding: what it excused is gone",
                "remove it from [[waivers]], or correct check and object",
            )  # fmt: skip
        elif number in used and waiver.until < today:
            yield Finding(
                "waiver-expired", "warning", name, f"the waiver ended on {waiver.until}: {waiver.reason}",
                "see to the finding, or decide again and move `until`",
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Baseline:
    """The fingerprints of an earlier report."""

    fingerprints: frozenset[str]


def baseline(text: str, file: str) -> Baseline:
    """Read a report that ``check --format json`` wrote. Raises SpecError when it is none."""
    try:
        record = json.loads(text)
        found = [f["fingerprint"] for key in ("findings", "known") for f in record[key]]
    except (ValueError, KeyError, TypeError):
        raise SpecError(
            f"{file}: no report of `tenantry check`; write one with `tenantry check --format json > {file}`"
        ) from None
    return Baseline(frozenset(found))


def known(review: Review, earlier: Baseline) -> Review:
    """Set aside what the baseline has already."""
    seen = {f.fingerprint for f in review.findings}
    return replace(
        review,
        findings=tuple(f for f in review.findings if f.fingerprint not in earlier.fingerprints),
        known=tuple(f for f in review.findings if f.fingerprint in earlier.fingerprints),
        gone=tuple(sorted(earlier.fingerprints - seen - {w.finding.fingerprint for w in review.waived})),
    )
