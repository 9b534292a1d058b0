"""What a record says against the database, one by one: what SARIF, JUnit and annotations are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tenantry.finding import LEVELS, Finding, Level, Outcome, Proof, Review, Waived


@dataclass(frozen=True, slots=True)
class Rule:
    """What can be found: a check, an attack, or something that keeps a proof from being one."""

    id: str
    level: Level
    title: str
    why: str = ""
    fix: str = ""
    number: str = ""
    controls: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One finding, breach, pending step or missing answer. At error level and not set aside, it makes the exit code 1.

    ``sql`` shows a breach. ``known`` is what the baseline has already.
    """

    finding: Finding
    sql: str = ""
    waived: Waived | None = None
    known: bool = False

    @property
    def counts(self) -> bool:
        """False for what is waived or known."""
        return self.waived is None and not self.known


def of(record: Proof | Review) -> tuple[Result, ...]:
    """Everything that speaks against a database, worst first.

    Something at error level counts exactly when the proof is none, or the review is not good.
    """
    found = _review(record) if isinstance(record, Review) else _proof(record)
    return tuple(sorted(found, key=lambda r: (not r.counts, LEVELS.index(r.finding.level))))


def _proof(proof: Proof) -> Iterator[Result]:
    for outcome in proof.outcomes:
        if outcome.status == "breached":
            name = f"attack-{outcome.attack}"
            yield Result(Finding(name, "error", outcome.object, outcome.detail or "breached"), outcome.sql)
    if not proof.outcomes:
        yield Result(Finding("nothing-attacked", "error", "database", "nothing could be attacked"))
    yield from (Result(finding) for finding in proof.findings)
    if proof.review is not None:
        yield from _review(proof.review)
    for step in proof.pending:
        message = f"step {step} is pending: the database is not in the declared state"
        yield Result(Finding("pending", "error", step, message, "tenantry apply"))
    yield from (Result(f) for f in unanswered(proof))


def _review(review: Review) -> Iterator[Result]:
    yield from (Result(f) for f in review.findings)
    yield from (Result(f, known=True) for f in review.known)
    yield from (Result(w.finding, waived=w) for w in review.waived)


def breaches(proof: Proof) -> dict[str, list[Outcome]]:
    """The outcomes that were breached, by object; of each object those with the shortest statement first.

    A plan that lacks the tenant comes after what reached rows.
    """
    found: dict[str, list[Outcome]] = {}
    for outcome in proof.outcomes:
        if outcome.status == "breached":
            found.setdefault(outcome.object, []).append(outcome)
    for outcomes in found.values():
        outcomes.sort(key=lambda o: (not o.sql, o.attack == "plan", len(o.sql)))
    return found


def why_unanswered(outcome: Outcome) -> str:
    """Why an outcome says nothing; empty for one that does."""
    match outcome.status:
        case "error" | "skipped" as status:
            return f"{'no answer' if status == 'error' else 'skipped'}: {outcome.detail or 'no reason is recorded'}"
        case "held" if not outcome.control_fired:
            return "no answer: no control fired, so that it held means nothing"
    return ""


def unanswered(proof: Proof) -> Iterator[Finding]:
    """What was not tried or gave no answer, once for all attacks on an object that have the same reason.

    At level note: attacks that were skipped where the plans show the same.
    """
    groups: dict[tuple[str, str, bool], list[str]] = {}
    judged = proof.judged
    for outcome in proof.outcomes:
        if why := why_unanswered(outcome):
            excused = outcome.status == "skipped" and outcome.object in judged
            groups.setdefault((outcome.object, why, excused), []).append(outcome.attack)
    for (name, why, excused), attacks in groups.items():
        told = ", ".join(dict.fromkeys(attacks))
        if excused:
            message = f"{told} on {name}: {why}; the plans of its statements carry the tenant"
            yield Finding("judged-by-plan", "note", name, message, detail=told)
        else:
            yield Finding("no-answer", "error", name, f"{told} on {name}: {why}", detail=told)


_OWN = (
    Rule("pending", "error", "The database is not in the declared state", fix="tenantry apply"),
    Rule(
        "no-answer", "error", "An attack that gave no answer",
        "What could not be looked at is not proven.", "see to the reason and prove again",
    ),
    Rule(
        "judged-by-plan", "note", "An attack that was skipped, where the plans show the same",
        "Nothing was run; the server says that each scan asks whose row it is.", "prove a copy with --full",
    ),
    Rule("nothing-attacked", "error", "Nothing could be attacked", "Without an attack nothing is proven."),
)  # fmt: skip


def rules(record: Proof | Review, attacks: Mapping[str, str]) -> tuple[Rule, ...]:
    """Every rule that a record was judged by: checks, attacks (name and why), and names that only findings have."""
    review = record if isinstance(record, Review) else record.review
    found = {
        c.slug: Rule(c.slug, c.level, c.title, c.why, c.fix, c.id, c.controls)
        for c in (review.checks if review is not None else ())
    }
    if isinstance(record, Proof):
        found |= {rule.id: rule for rule in _OWN}
        for name in dict.fromkeys((*attacks, *(o.attack for o in record.outcomes))):
            rule = f"attack-{name}"
            found[rule] = Rule(rule, "error", f"Attack: {name}", attacks.get(name, ""))
    for result in of(record):
        finding = result.finding
        if finding.check not in found:
            found[finding.check] = Rule(finding.check, finding.level, finding.check, fix=finding.fix)
    return tuple(found.values())
