"""What the HTML report shows, section by section, as values for its template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from tenantry.finding import LEVELS, Check, ContextName, Finding, Level, Outcome, Place, Proof, Review, Status
from tenantry.report import results

State = Literal["breached", "finding", "unknown", "held", "none"]
STATES: Mapping[State, tuple[str, str]] = {  # worst first: mark, words
    "breached": ("✗", "breached"),
    "finding": ("!", "a finding at error level"),
    "unknown": ("?", "no answer"),
    "held": ("✓", "held"),
    "none": ("○", "not attacked"),
}
CONTEXTS: Mapping[ContextName, tuple[str, str]] = {  # as a column is headed, and what it means
    "unset": ("never set", "a session that never set a tenant"),
    "empty": ("empty", "the empty tenant, which a setting has after a transaction that set one"),
    "ghost": ("unknown", "a tenant that has no rows"),
    "tenant": ("other", "another tenant that exists"),
}
_WORST: Sequence[Status] = ("breached", "error", "skipped", "held")


@dataclass(frozen=True, slots=True)
class Column:
    """An attack on the matrix, with the contexts in which it was made; none when they were not recorded."""

    attack: str
    why: str
    contexts: tuple[ContextName, ...]

    @property
    def span(self) -> int:
        """Columns of the table."""
        return max(1, len(self.contexts))


@dataclass(frozen=True, slots=True)
class Mark:
    """One cell: a status, or nothing where no such attack was made; ``span`` contexts share it."""

    status: Status | Literal["silent", ""]
    span: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A table on the matrix."""

    number: int
    name: str
    scope: str
    state: State
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one check."""

    level: Level
    check: Check | None
    name: str
    why: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """A check and what came of it."""

    check: Check
    result: str
    state: Literal["bad", "some", "good", "none"]


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that the template needs. What a review does not have is empty."""

    record: Proof | Review
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    places: tuple[tuple[Place, State], ...] = ()
    states: Mapping[str, State] = field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    checks: tuple[Checked, ...] = ()
    unanswered: tuple[Finding, ...] = ()
    excused: tuple[Finding, ...] = ()

    @property
    def proof(self) -> Proof | None:
        """The proof, when it is one."""
        return self.record if isinstance(self.record, Proof) else None

    @property
    def review(self) -> Review | None:
        """The static checks: the record itself, or those of a proof."""
        return self.record if isinstance(self.record, Review) else self.record.review

    @property
    def good(self) -> bool:
        """Whether the exit code was 0."""
        return self.record.good if isinstance(self.record, Review) else self.record.proven

    @property
    def breaches(self) -> dict[str, list[Outcome]]:
        """The outcomes that were breached, by object."""
        return results.breaches(self.proof) if self.proof is not None else {}

    @property
    def not_looked_at(self) -> list[str]:
        """What was left out, each once."""
        inner = self.review.not_looked_at if self.review is not None else ()
        return list(dict.fromkeys((*self.record.not_looked_at, *inner)))

    @property
    def counts(self) -> dict[Level, int]:
        """Findings that count, by level."""
        return {level: sum(len(g.findings) for g in self.groups if g.level == level) for level in LEVELS}


def page(record: Proof | Review, attacks: Mapping[str, str]) -> Page:
    """Prepare a record; ``attacks`` are names and what is lost when they are not refused."""
    review = record if isinstance(record, Review) else record.review
    checks = tuple(_checked(review)) if review is not None else ()
    groups = tuple(_groups(record, review))
    if isinstance(record, Review):
        return Page(record, groups=groups, checks=checks)
    states = _states(record)
    columns = tuple(_columns(record.outcomes, attacks))
    return Page(
        record,
        columns,
        tuple(_rows(record, columns, states)),
        tuple((p, states[p.name]) for p in sorted(record.places, key=lambda p: p.name)),
        states,
        groups,
        checks,
        *_unanswered(record),
    )


def _unanswered(proof: Proof) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """What keeps it from being a proof, and what does not because the plans show the same."""
    found = list(results.unanswered(proof))
    return tuple(f for f in found if f.level == "error"), tuple(f for f in found if f.level != "error")


def _states(proof: Proof) -> dict[str, State]:
    """The worst of what is known about each table."""
    found: dict[str, list[State]] = {p.name: [] for p in proof.places}
    judged = proof.judged
    for o in proof.outcomes:
        if o.status == "skipped" and o.object in judged:
            continue
        state: State = (
            "breached" if o.status == "breached" else "unknown" if results.why_unanswered(o) else "held"
        )
        found.setdefault(o.object, []).append(state)
    for f in (*proof.findings, *(proof.review.findings if proof.review is not None else ())):
        if f.level == "error" and f.object in found:
            found[f.object].append("finding")
    order: tuple[State, ...] = tuple(STATES)
    return {name: min(states, key=order.index, default="none") for name, states in found.items()}


def _columns(outcomes: Sequence[Outcome], attacks: Mapping[str, str]) -> Iterator[Column]:
    seen: dict[str, set[ContextName]] = {}
    for o in outcomes:
        seen.setdefault(o.attack, set()).update(c.context for c in o.cells)
    order: tuple[ContextName, ...] = get_args(ContextName)
    for attack, contexts in seen.items():
        yield Column(attack, attacks.get(attack, ""), tuple(c for c in order if c in contexts))


def _rows(proof: Proof, columns: Sequence[Column], states: Mapping[str, State]) -> Iterator[Row]:
    """Worst first, then tables before anything else, then by name."""
    scopes = {p.name: p.scope for p in proof.places}
    by: dict[str, dict[str, list[Outcome]]] = {}
    for o in proof.outcomes:
        by.setdefault(o.object, {}).setdefault(o.attack, []).append(o)
    order: tuple[State, ...] = tuple(STATES)
    for number, name in enumerate(sorted(by, key=lambda n: (order.index(states[n]), n not in scopes, n))):
        marks = tuple(m for c in columns for m in _marks(c, by[name].get(c.attack, [])))
        yield Row(number, name, scopes.get(name, ""), states[name], marks)


def _marks(column: Column, outcomes: Sequence[Outcome]) -> Iterator[Mark]:
    """The cells of one attack: one for all contexts when they are alike."""
    if not outcomes:
        yield Mark("", column.span)
        return
    worst = min((o.status for o in outcomes), key=_WORST.index)
    told: dict[ContextName, Status] = {}
    for cell in (c for o in outcomes for c in o.cells):
        told[cell.context] = min(told.get(cell.context, "held"), cell.status, key=_WORST.index)
    if not all(o.control_fired for o in outcomes if o.status == "held"):
        yield Mark("silent" if worst == "held" else worst, column.span)
    elif worst not in told.values() or len({*told.values()}) == 1 == len(told) / len(column.contexts):
        yield Mark(worst, column.span)  # alike, or the outcome says more than its cells: it counts
    else:
        yield from (Mark(told.get(context, "")) for context in column.contexts)


def _groups(record: Proof | Review, review: Review | None) -> Iterator[Group]:
    """Findings that count, worst first, those of a check together."""
    checks = {c.slug: c for c in review.checks} if review is not None else {}
    own = record.findings if isinstance(record, Proof) else ()
    by: dict[tuple[Level, str], list[Finding]] = {}
    for f in (*own, *(review.findings if review is not None else ())):
        by.setdefault((f.level, f.check), []).append(f)
    for (level, name), found in sorted(by.items(), key=lambda item: LEVELS.index(item[0][0])):
        check = checks.get(name)
        yield Group(level, check, name, check.why if check is not None else "", tuple(found))


def _checked(review: Review) -> Iterator[Checked]:
    for check in review.checks:
        count = sum(f.check == check.slug for f in review.findings)
        aside = sum(w.finding.check == check.slug for w in review.waived) + sum(
            f.check == check.slug for f in review.known
        )
        more = f", {aside} set aside" if aside else ""
        if check.slug in review.skipped:
            yield Checked(check, "not run", "none")
        elif any(f.check == "check-failed" and f.object == check.slug for f in review.findings):
            yield Checked(check, "could not look", "bad")
        elif count:
            yield Checked(check, f"{count} found{more}", "bad" if check.level == "error" else "some")
        else:
            yield Checked(check, f"nothing found{more}", "good")
