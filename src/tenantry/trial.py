"""What proving the prover yields: mutations, what came of each, and the record of a self-test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Layer = Literal["check", "attack"]
# found: all that was claimed, and nothing undeclared · missed: not all · extra: also something undeclared ·
# error: it could not be tried · skipped: this server or this world has nothing of the kind.
Verdict = Literal["found", "missed", "extra", "error", "skipped"]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One sabotage of a good database, and who must notice.

    ``sql`` has names in braces, as the header of a check. ``finds`` are checks that must find it and ``also`` those
    that may, ``breaches`` the attacks that must (``attack table``) and ``beside`` those that may (``* table`` for
    any attack on it, ``attack *`` for any object). ``repair`` takes it back; without it the database is thrown away.
    ``since`` is the first major version of PostgreSQL that understands it. ``pooler`` are two reset queries of a
    PgBouncer that hands sessions on: one that lets the tenant through, and one that does not.
    """

    name: str
    sql: tuple[str, ...]
    finds: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    breaches: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    repair: tuple[str, ...] = ()
    since: int = 0
    pooler: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """What one layer made of one mutation in one world; ``claims`` is what it had to find, ``seconds`` its time."""

    world: str
    mutation: str
    layer: Layer
    claims: tuple[str, ...]
    verdict: Verdict
    detail: str = ""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Nothing speaks against the layer."""
        return self.verdict in ("found", "skipped")


@dataclass(frozen=True, slots=True)
class Clean:
    """A world without a sabotage; ``noise`` is what was found there all the same: at error level, or a breach."""

    world: str
    title: str
    checks: int
    attacks: int
    noise: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SelfTest:
    """The record of one run.

    ``unshown`` are checks and attacks of this server that no trial saw find anything; ``left_out`` are those for which
    there was nothing to try them on, and what is missing.
    """

    when: str
    server: str
    worlds: tuple[Clean, ...]
    trials: tuple[Trial, ...]
    unshown: tuple[str, ...]
    seconds: float = 0.0
    left_out: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Every mutation was found, every world was silent, and every check and attack was shown to find, or left out."""
        return (
            bool(self.trials)
            and not self.unshown
            and all(t.good for t in self.trials)
            and not any(w.noise for w in self.worlds)
        )

    def of(self, verdict: Verdict) -> Iterator[Trial]:
        """The trials that ended so."""
        return (t for t in self.trials if t.verdict == verdict)
