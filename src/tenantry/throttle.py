"""A backfill gives way, between two batches, to whatever suffers from it.

- *standby*: a standby or subscriber is more than :data:`LAG_BYTES` behind.
- *slot*: a replication slot is about to lose WAL that it needs (``max_slot_wal_keep_size``).
- *wal*: the whole server writes WAL faster than ``max_wal_size`` within ``checkpoint_warning`` seconds (1 GB within 30 s
  by default: 34 MB/s), :data:`BURST_BYTES` beyond that being free. Faster, it makes checkpoints so frequent that
  the server itself warns of it, and each one brings full-page images, that is more WAL. So a server on which
  ``max_wal_size`` was raised is filled faster, and no option is needed.
- *archiver*: archiving fails or is :data:`ARCHIVE_BYTES` behind; WAL piles up until the disk is full.
- *locks*: sessions have waited for a table or a row for more than a second; smaller batches follow too.

An autovacuum of the table is let alone: batches and it do not wait for each other, and it makes room for them.

Patience ends. What is only slowed (standby, wal, locks) is then left to itself until it is well again; where going on
may cost a standby or the disk (slot, archiver), the run ends with an error and can be resumed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psycopg

from tenantry.counts import counted
from tenantry.errors import ApplyError
from tenantry.progress import Signal, Throttled, Unseen
from tenantry.report.plan import size
from tenantry.session import Session, load

LAG_BYTES = 16 * 1024**2
BURST_BYTES = 64 * 1024**2
ARCHIVE_BYTES = 512 * 1024**2
PAUSE = 0.2
# Seconds between two looks: six short queries.
LOOK_EVERY = 0.2
# Seconds of giving way in one go, by signal.
PATIENCE: Mapping[Signal, float] = {"standby": 30, "slot": 300, "wal": 30, "archiver": 300, "locks": 30}
_COSTLY = {
    "slot": "Its standby or subscriber would have to be made anew. Let it catch up, or drop the slot",
    "archiver": "WAL piles up until the disk is full. Mend archive_command (see the server's log)",
}

Row = tuple[object, ...]


@dataclass(slots=True)
class Throttle:
    """What one run has seen of the server so far."""

    session: Session
    step: str = ""
    looked: float = field(default_factory=time.monotonic)
    written: int | None = None
    owed: float = 0.0
    patience: dict[Signal, float] = field(default_factory=lambda: dict(PATIENCE))
    unseen: set[Signal] = field(default_factory=set)

    def give_way(self, step: str) -> bool:
        """Wait until nothing suffers, or patience ends; True if sessions waited for locks.

        Raises ApplyError where it would be harmful to go on, Stopped when somebody asks for it meanwhile.
        """
        if time.monotonic() - self.looked < LOOK_EVERY:
            return False
        self.step, waited, crowded = step, 0.0, False
        while (found := self._look()) is not None:
            signal, reason = found
            tally = self.session.tally
            tally.reason = reason
            self.session.listen(Throttled(step, signal, reason, waited, PAUSE))
            begun = time.monotonic()
            self.session.pause(PAUSE)
            passed = time.monotonic() - begun
            tally.throttled += passed
            waited += passed
            self.patience[signal] -= passed
            crowded = crowded or signal == "locks"
        return crowded

    def _look(self) -> tuple[Signal, str] | None:
        """The first signal to give way to, with the reason."""
        passed, self.looked = time.monotonic() - self.looked, time.monotonic()
        first: tuple[Signal, str] | None = None
        for signal, (query, judge) in _LOOKS.items():
            row = self._ask(signal, query)
            reason = judge(self, row, passed) if row is not None else None
            if reason is None:
                self._relax(signal, passed)
            elif self.patience[signal] > 0:
                first = first or (signal, reason)
            elif signal in _COSTLY:
                raise _harmful(self.step, signal, reason)
        return first

    def _relax(self, signal: Signal, passed: float) -> None:
        """All is well again. Application's waits come and go: patience with them grows back as time is worked."""
        whole = PATIENCE[signal]
        self.patience[signal] = min(whole, self.patience[signal] + passed) if signal == "locks" else whole

    def _ask(self, signal: Signal, query: str) -> Row | None:
        try:
            return self.session.conn.execute(load(query)).fetchone()
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction) as error:
            self.hide(signal, error.diag.message_primary or str(error))
            return None

    def hide(self, signal: Signal, reason: str) -> None:
        """Tell, once, that a signal cannot be looked at."""
        if signal not in self.unseen:
            self.unseen.add(signal)
            self.session.tally.unseen += (f"{signal}: {reason}",)
            self.session.listen(Unseen(self.step, signal, reason))


def _harmful(step: str, signal: Signal, reason: str) -> ApplyError:
    return ApplyError(
        f"step {step}: gave way for {PATIENCE[signal]:.0f} s, and still {reason}. {_COSTLY[signal]}, then run "
        "`tenantry apply` again: it goes on here. What is filled stays filled.",
        step=step,
    )


# What each look means: None where all is well


def _standby(throttle: Throttle, row: Row, _: float) -> str | None:
    name, lag, hidden = row
    if hidden:
        user = throttle.session.conn.info.user
        reason = f"role {user} may not see how far a standby is; GRANT pg_monitor TO it"
        throttle.hide("standby", reason)
    assert isinstance(lag, int)
    return f"standby {name} is {size(lag)} behind" if lag > LAG_BYTES else None


def _slot(_: Throttle, row: Row, __: float) -> str | None:
    name, left = row
    assert isinstance(left, int)
    return f"replication slot {name} loses its WAL after another {size(max(left, 0))}"


def _wal(throttle: Throttle, row: Row, passed: float) -> str | None:
    """A bucket that leaks at the ceiling's rate, so that a short burst is free and a long one is not."""
    written, ceiling = row
    assert isinstance(written, int)
    assert isinstance(ceiling, int)
    fresh = written - throttle.written if throttle.written is not None else 0
    throttle.written = written
    throttle.owed = max(0.0, throttle.owed + fresh - ceiling * passed)
    if throttle.owed <= BURST_BYTES:
        return None
    return f"WAL is written faster than {size(ceiling)}/s (max_wal_size within checkpoint_warning)"


def _archiver(_: Throttle, row: Row, __: float) -> str | None:
    failing, behind = row
    if failing:
        return "archiving WAL fails"
    if isinstance(behind, int) and behind > ARCHIVE_BYTES:
        return f"archiving WAL is {size(behind)} behind"
    return None


def _locks(_: Throttle, row: Row, __: float) -> str | None:
    count, seconds = row
    if not isinstance(count, int) or not count:
        return None
    return f"{counted(count, 'session waits', 'sessions wait')} for a lock, up to {seconds:.0f} s"


_LOOKS: Mapping[Signal, tuple[str, Callable[[Throttle, Row, float], str | None]]] = {
    "standby": ("throttle_standby", _standby),
    "slot": ("throttle_slot", _slot),
    "wal": ("throttle_wal", _wal),
    "archiver": ("throttle_archiver", _archiver),
    "locks": ("throttle_locks", _locks),
}
