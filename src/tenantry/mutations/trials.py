"""One mutation, tried: applied, looked for, taken back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence

import psycopg

from tenantry import checks
from tenantry.attacks import ATTACKS, DOORS
from tenantry.checks import all_checks
from tenantry.finding import Outcome, Review
from tenantry.mutations import pgbouncer, worlds
from tenantry.mutations.scratch import restore
from tenantry.mutations.worlds import World
from tenantry.session import Conn
from tenantry.trial import Layer, Mutation, Trial, Verdict

# About the server, whatever is in the database.
ABOUT_THE_SERVER = frozenset({"server-version"})
_SETTLED = ("held", "breached")
# They see the same rows by other ways, so what others find they find, too.
_FOLLOW = ("oracle", "upsert", "merge", "copy", "worlds")


def layers(mutation: Mutation) -> tuple[Layer, ...]:
    """Who claims to notice."""
    found: list[Layer] = ["check"] if mutation.finds else []
    return (*found, "attack") if mutation.breaches else tuple(found)


def try_(world: World, mutation: Mutation, layer: Layer) -> Trial:
    """What a layer makes of a mutation."""
    begun = time.monotonic()
    verdict, detail = _judged(world, mutation, layer)
    claims = mutation.finds if layer == "check" else _filled(world, mutation.breaches)
    return Trial(world.kind.name, mutation.name, layer, claims, verdict, detail, time.monotonic() - begun)


def _judged(world: World, mutation: Mutation, layer: Layer) -> tuple[Verdict, str]:
    version = world.scratch.conn.info.server_version
    if version < mutation.since * 10_000:
        return "skipped", f"is about PostgreSQL {mutation.since} and later"
    if not world.knows((*mutation.sql, *mutation.breaches)):
        return "skipped", "this world has nothing of the kind"
    if mutation.pooler and pgbouncer.PROGRAM is None:
        return "skipped", pgbouncer.ABSENT
    try:
        return _checked(world, mutation) if layer == "check" else _attacked(world, mutation)
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        return "error", f"could not be tried: {error.sqlstate} {error.diag.message_primary or error}"


def _filled(world: World, texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(world.fill(t, "") if world.knows((t,)) else t for t in texts)


def _apply(world: World, conn: Conn, statements: Sequence[str]) -> None:
    for statement in statements:
        conn.execute(world.fill(statement, conn.info.dbname).encode())


# The static layer: nothing is committed


def _checked(world: World, mutation: Mutation) -> tuple[Verdict, str]:
    with world.conn.transaction(force_rollback=True):
        _apply(world, world.conn, mutation.sql)
        after = checks.examine(world.conn, world.request, now=worlds.now())
    failed = [f.message for f in after.findings if f.check == "check-failed"]
    if failed:
        return "error", failed[0]
    return _compared(new(world.clean, after), set(mutation.finds), set(mutation.also))


def new(before: Review, after: Review) -> set[str]:
    """The checks that found something that was not there before."""
    known = {f.fingerprint for f in before.findings}
    return {f.check for f in after.findings if f.fingerprint not in known}


def _compared(found: set[str], claimed: set[str], allowed: set[str]) -> tuple[Verdict, str]:
    missed = sorted(c for c in claimed if not any(_fits(c, f) for f in found))
    extra = sorted(f for f in found if not any(_fits(c, f) for c in claimed | allowed))
    if missed:
        return "missed", f"not found: {', '.join(missed)}; found: {', '.join(sorted(found)) or 'nothing'}"
    return ("extra", f"also found: {', '.join(extra)}") if extra else ("found", "")


def _fits(claim: str, found: str) -> bool:
    """Whether a claim is about what was found: ``*`` stands for any attack, or for any object."""
    attack, _, thing = claim.partition(" ")
    by, _, on = found.partition(" ")
    return attack in ("*", by) and thing in ("*", on)


# The live layer: attacks come in sessions of their own, so a copy of the database is spoilt


def _attacked(world: World, mutation: Mutation) -> tuple[Verdict, str]:
    claimed, allowed = set(_filled(world, mutation.breaches)), set(_filled(world, mutation.beside))
    anywhere = {c for c in claimed if c.endswith(" *")}
    said = {f"{o.attack} {o.object}" for o in world.outcomes}
    if mutation.repair and not anywhere and not claimed & said:
        return "skipped", "the attack says nothing of such a table"
    allowed |= set(_followers(world, claimed - anywhere))
    try:
        with worlds.copy(world) as database:
            with _spoilt(world, database, mutation) as pooler_dsn:
                outcomes = worlds.attack(world, database, pooler_dsn)
            verdict, detail = _compared(breaches(outcomes), claimed, allowed)
            if verdict == "found":
                verdict, detail = _doubts(world, outcomes, claimed)
            if verdict == "found" and (mutation.repair or mutation.pooler):
                with _pooler(world, database, mutation.pooler[1:]) as pooler_dsn:
                    left = breaches(worlds.attack(world, database, pooler_dsn))
                verdict, detail = (
                    ("extra", f"after its repair: {', '.join(sorted(left))}") if left else ("found", "")
                )
    finally:
        restore(world.scratch, world.roles)
    return verdict, detail


def _followers(world: World, claimed: set[str]) -> Iterator[str]:
    """What sees the rows that a claim is about by another way."""
    for table in {claim.partition(" ")[2] for claim in claimed}:
        yield from (f"{attack} {table}" for attack in _FOLLOW)
        for view, tables in world.kind.views.items():
            if table in tables:
                yield from (f"relation {view}", f"worlds {view}")


@contextlib.contextmanager
def _spoilt(world: World, database: str, mutation: Mutation) -> Iterator[str | None]:
    """With the sabotage; its repair follows whatever comes, since not all of it may be in the database."""
    with (
        contextlib.closing(world.scratch.connect(database)) as conn,
        _pooler(world, database, mutation.pooler[:1]) as pooler_dsn,
    ):
        _apply(world, conn, mutation.sql)
        try:
            yield pooler_dsn
        finally:
            _apply(world, conn, mutation.repair)


@contextlib.contextmanager
def _pooler(world: World, database: str, reset: Sequence[str]) -> Iterator[str | None]:
    """The way through a pooler with that reset query, if there is to be one."""
    with contextlib.ExitStack() as stack:
        dsn = world.scratch.dsn_of(database)
        yield stack.enter_context(pgbouncer.pooled(dsn, mode="session", reset=reset[0])) if reset else None


def breaches(outcomes: Iterable[Outcome]) -> set[str]:
    """What was breached, as ``attack table``."""
    return {f"{o.attack} {o.object}" for o in outcomes if o.status == "breached"}


def _doubts(world: World, outcomes: Sequence[Outcome], claimed: set[str]) -> tuple[Verdict, str]:
    """A breach whose control did not fire, and a look that the clean world allowed and this one did not."""
    for outcome in outcomes:
        name = f"{outcome.attack} {outcome.object}"
        mine = outcome.status == "breached" and any(_fits(c, name) for c in claimed)
        if mine and not outcome.control_fired:
            return "error", f"{name}: the control did not fire"
    clear = {(o.attack, o.object) for o in world.outcomes if o.status in _SETTLED}
    blind = [o for o in outcomes if (o.attack, o.object) in clear and o.status not in _SETTLED]
    if blind:
        return "error", f"{blind[0].attack} {blind[0].object}: could not look any more: {blind[0].detail}"
    return "found", ""


# Without a sabotage


def noise(world: World) -> tuple[str, ...]:
    """What both layers found where nothing is wrong, but for what is about the server."""
    said = [
        f"{f.check} {f.object}: {f.message}"
        for f in world.clean.findings
        if f.level == "error" and f.check not in ABOUT_THE_SERVER
    ]
    said += [f"{o.attack} {o.object}: {o.detail}" for o in world.outcomes if o.status == "breached"]
    said += [f"{line} (left behind)" for line in sorted(worlds.left_behind(world))]
    return tuple(said)


def shown(trials: Iterable[Trial]) -> set[str]:
    """The checks and attacks that were seen to find something."""
    good = [t for t in trials if t.verdict == "found"]
    return {c if t.layer == "check" else c.partition(" ")[0] for t in good for c in t.claims}


def left_out(trials: Iterable[Trial]) -> tuple[str, ...]:
    """What could be tried nowhere because something is missing on this machine: a pooler."""
    return tuple(f"{name}: {pgbouncer.ABSENT}" for name in sorted(_absent(trials)))


def _absent(trials: Iterable[Trial]) -> set[str]:
    return {c.partition(" ")[0] for t in trials if t.detail == pgbouncer.ABSENT for c in t.claims}


def unshown(trials: Sequence[Trial], version: int) -> tuple[str, ...]:
    """Checks of this server's version and attacks that nobody saw find anything, but for what is left out."""
    asked = [c.slug for c in all_checks() if version >= c.since * 10_000]
    asked += [a.NAME for a in (*ATTACKS, *DOORS)]
    return tuple(sorted(set(asked) - shown(trials) - _absent(trials)))
