"""What auditors ask of a trail, and where the evidence is found: the one list behind report and page.

Which static check speaks for which control is in the checks' own headers. None of this is a certificate: it is what
was found, what was found otherwise, and what could not be looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tenantry import checks
from tenantry.audit import guards
from tenantry.audit.account import Account, chart
from tenantry.audit.query import clock
from tenantry.counts import counted
from tenantry.finding import Check, Review
from tenantry.report import html

State = Literal["shown", "not shown", "could not look"]

CONTROLS: Mapping[str, str] = {
    "SOC 2 CC6.1": "Access to what is protected is restricted, and it is known who reached what, refused attempts too.",
    "SOC 2 CC7.2": "What happens is watched, out of reach of those who are watched.",
    "SOC 2 CC7.3": "Events are evaluated, so they must be whole and somebody must look.",
    "ISO/IEC 27001:2022 A.8.15": "Logs say who did what, when and from where; they are kept, protected, and looked at.",
}

Found = tuple[State, str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One answer to one control: which command shows it, and what it showed."""

    control: str
    what: str
    command: str
    state: State
    words: str


@dataclass(frozen=True, slots=True)
class Way:
    """How a piece of evidence is found: ``look`` at an account."""

    controls: tuple[str, ...]
    what: str
    command: str
    look: Callable[[Account], Found]


def checks_of(control: str) -> tuple[Check, ...]:
    """The static checks whose header names that control."""
    family, _, name = control.rpartition(" ")
    return tuple(
        check
        for check in checks.all_checks()
        if check.controls.startswith(f"{family} ")
        and name in check.controls.removeprefix(family).replace(",", " ").split()
    )


def evidence(account: Account, review: Review | None) -> tuple[Evidence, ...]:
    """What was found for each control. ``review`` is None where the checks could not be run."""
    found = []
    for control in CONTROLS:
        if named := checks_of(control):
            state, words = _checked(named, review)
            found.append(
                Evidence(control, f"{len(named)} static checks name it", "tenantry check", state, words)
            )
        found += [
            Evidence(control, way.what, way.command, *way.look(account))
            for way in WAYS
            if control in way.controls
        ]
    return tuple(found)


def to_html(account: Account, found: Sequence[Evidence] = ()) -> str:
    """The account, and the evidence where there is any, as one HTML file."""
    return html.render(
        "trail.html.jinja", account=account, clock=clock, bars=chart(account.spans), who=guards.WHO, evidence=found, controls=CONTROLS
    )  # fmt: skip


def _checked(named: Sequence[Check], review: Review | None) -> Found:
    if review is None:
        return "could not look", "the catalogs could not be read"
    slugs = {check.slug for check in named}
    bad = [f for f in review.findings if f.check in slugs and f.level == "error"]
    blind = slugs & {*review.skipped, *(f.object for f in review.findings if f.check == "check-failed")}
    aside = "".join(f"; {words}" for words in _answered(named, review))
    if bad:
        first = f"{bad[0].check} on {bad[0].object}: {bad[0].message}"
        return "not shown", f"{counted(len(bad), 'finding')} at error level, first {first}{aside}"
    if blind:
        return (
            "could not look",
            f"{len(blind)} of {len(slugs)} could not be run: {', '.join(sorted(blind)[:5])}{aside}",
        )
    return "shown", f"no finding at error level{aside}"


def _answered(named: Sequence[Check], review: Review) -> Iterator[str]:
    """What is waived, by whose reason and until when, and whose waiver has ended; an auditor judges them."""
    slugs = {check.slug: check.id for check in named}
    for waived in review.waived:
        if waived.finding.check in slugs:
            of = f"{waived.finding.level} {waived.finding.check} on {waived.finding.object}"
            yield f"waived until {waived.until}: {of}: {waived.finding.message} ({waived.reason})"
    ended = {f.object: f.message for f in review.findings if f.check == "waiver-expired"}
    for found in review.findings:
        if found.check in slugs:
            names = (
                found.fingerprint,
                *(f"{of} on {found.object}" for of in (found.check, slugs[found.check])),
            )
            yield from (f"{name}: {ended[name]}" for name in names if name in ended)


# The trail


def _attacks(account: Account) -> Found:
    return "could not look", "attacks are not made for a report; run the command and keep what it writes"


def _refusals(account: Account) -> Found:
    if account.refused is None:
        return (
            "could not look",
            'a plain trail does not say how an event ended; set [audit] events = "extended"',
        )
    if not account.refused:
        return (
            "could not look",
            "no refused or failed attempt is in this time; that none was made, nobody can tell from it",
        )
    return "shown", f"{account.refused} refused or failed attempts of {account.events} events"


def _guards(account: Account) -> Found:
    if account.protection.missing:
        return "not shown", account.protection.missing[0]
    if account.protection.facts.forges is None:
        return "could not look", "the application's role is not known; give a spec"
    ends = [(line.what, dict(zip(guards.WHO, line.ends, strict=True))) for line in account.protection.lines]
    open_ = [what for what, end in ends if "open" in (end["application"], end["owner"])]
    if open_:
        return "not shown", f"open to the application or to the owner: {', '.join(open_)}"
    return (
        "shown",
        "all is blocked for the application and the owner; what a superuser changes, the seal shows",
    )


def _sealed(account: Account) -> Found:
    report = account.seal.report
    if report is None:
        return "could not look", account.seal.why
    if not report.good:
        return "not shown", next(str(found) for found in report.findings if found.level == "error")
    blind = [found for found in report.findings if found.kind == "not looked"]
    if blind:
        return "could not look", f"{report.events} events verify, but {blind[0].message}"
    return (
        "shown",
        f"{counted(report.events, 'event')} as sealed; not sealed yet: {report.unsealed}",
    )


def _anchored(account: Account) -> Found:
    report = account.seal.report
    if report is None or not report.anchors:
        return "could not look", account.seal.why or "no anchor was named with --anchor"
    state, words = _sealed(account)
    if state != "shown":  # an anchor that nobody trusted signed was not compared either
        return state, words
    return (
        "shown",
        f"the log agrees with {counted(report.anchors, 'checkpoint')} kept outside of the database",
    )


def _followed(account: Account) -> Found:
    return "could not look", "who follows the trail is known where its cursor is kept"


def _read(account: Account) -> Found:
    times = [event for event in account.own if event.get("action") == "audit.read"]
    if not times:
        return "not shown", "no look-up is in this time; this report is the first"
    who = {_reader(event) for event in times} - {""}
    by = f", by {', '.join(sorted(who)[:5])}" if who else ""
    return "shown", f"{counted(len(times), 'look-up')}, the last at {times[0].get('created_at')}{by}"


def _reader(event: Mapping[str, str | None]) -> str:
    """Who looked, as far as the event says so; its metadata may be anything that somebody wrote."""
    try:
        said = json.loads(event.get("metadata") or "{}")
    except (ValueError, RecursionError):  # of a long text there is the beginning only
        said = None
    return event.get("actor_id") or (str(said.get("user") or "") if isinstance(said, dict) else "")


def _said(account: Account) -> Found:
    told = [event for event in account.listed if not (event.get("action") or "").startswith("audit.")]
    if not told:
        return "could not look", "there is no event in this time"
    without = {
        words: sum(not event.get(column) for event in told)
        for column, words in (("actor_id", "who"), ("ip_address", "from where"))
    }
    missing = [f"{number} of {len(told)} do not say {words}" for words, number in without.items() if number]
    if missing:
        return "not shown", "; ".join(missing)
    return "shown", f"the newest {len(told)} events say who, what, when and from where"


def _kept(account: Account) -> Found:
    if account.first is None:
        return "could not look", "there is no event in this time"
    gone = account.seal.retired
    if account.seal.report is None or not account.seal.report.records:
        return (
            "could not look",
            f"the oldest event is of {account.first}; what was removed before, only a seal tells",
        )
    months = ", ".join(f"{entry['partition']} with {entry['count']} events" for entry in gone)
    return (
        "shown",
        f"the oldest event is of {account.first} UTC; {f'retired with an archive: {months}' if gone else 'nothing was retired'}",
    )


_CC61, _CC72, _CC73, _A815 = CONTROLS
WAYS: Sequence[Way] = (
    Way((_CC61,), "no tenant reaches another's rows, attacked", "tenantry prove", _attacks),
    Way((_CC61, _A815), "refused and failed attempts are recorded", "tenantry audit query --outcome denied", _refusals),
    Way((_A815,), "events say who, what, when and from where", "tenantry audit query", _said),
    Way((_CC72, _A815), "who writes events cannot change them", "tenantry audit status", _guards),
    Way((_CC72, _A815), "statements about the trail are out of reach of those who administer it",
        "tenantry audit verify --anchor …", _anchored),
    Way((_CC72,), "events leave for whoever watches", "tenantry audit tail --follow", _followed),
    Way((_CC73, _A815), "nothing was changed since it was sealed", "tenantry audit verify --public-key …", _sealed),
    Way((_CC73, _A815), "somebody looks at the trail", "tenantry audit query --action audit.read", _read),
    Way((_A815,), "events are kept, and go only with an archive", "tenantry audit retire", _kept),
)  # fmt: skip
