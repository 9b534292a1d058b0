"""Verification: is the trail what was sealed, and the seal what was signed? Findings are data.

The log is read once, in order. Its tree gives the root at each size, which stored checkpoints, anchors and the
signature must agree with; each batch's hashes must give the root in its record; each event must give its hash.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tenantry.audit import batch, checkpoint, damages, tree
from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.damage import Damage, Kind
from tenantry.audit.entries import Details, Entry
from tenantry.audit.history import History
from tenantry.audit.keys import PublicKey
from tenantry.audit.source import Source
from tenantry.audit.store import Retired
from tenantry.audit.trust import Trust
from tenantry.errors import TamperError

GROUP = 5000  # events looked up at a time, about
MOST_BATCHES = 100  # looked up at a time
MOST = 100  # findings of one kind that are told in full


@dataclass(frozen=True, slots=True)
class State:
    """How far a verification came: what the next one may begin from. Keep it where the database's admins do not write."""

    size: int
    frontier: tree.Frontier
    key: str
    layout: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """The result. ``events`` were hashed and compared, ``archived`` are gone by a recorded retirement, ``unsealed``
    were written since the last batch; ``more`` counts the findings of a kind beyond those that are listed.
    """

    findings: tuple[Damage, ...]
    more: dict[str, int]
    records: int
    batches: int
    events: int
    archived: int
    unsealed: int
    checkpoint: Checkpoint | None
    begun: int
    anchors: int
    state: State | None

    @property
    def good(self) -> bool:
        """No finding at error level."""
        return not any(found.level == "error" for found in self.findings)

    def require(self, but: Kind | None = None) -> None:
        """Raise TamperError with the first error, if there is one; errors of kind ``but`` do not count."""
        for found in self.findings:
            if found.level == "error" and found.kind != but:
                raise TamperError(str(found))


@dataclass(slots=True)
class Findings:
    """What was found so far; of each kind and level not more than a person reads."""

    kept: list[Damage] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(
        self,
        kind: Kind,
        message: str,
        *,
        level: str = "error",
        record: str | None = None,
        batch: int | None = None,
    ) -> None:
        """Note a finding."""
        self.note(Damage(kind, message, level, record, batch))  # type: ignore[arg-type]

    def note(self, found: Damage) -> None:
        """The same of a value."""
        self.counts[found.kind, found.level] += 1
        if self.counts[found.kind, found.level] <= MOST:
            self.kept.append(found)

    def accepted(self, kind: Kind, before: int) -> None:
        """Errors of a kind in batches before a record that accepts them are only noted."""
        for at, found in enumerate(self.kept):
            if found.kind == kind and found.level == "error" and (found.batch or 0) < before:
                self.kept[at] = replace(found, level="note")

    @property
    def more(self) -> dict[str, int]:
        """How many of a kind are not listed."""
        return {kind: n - MOST for (kind, _), n in self.counts.items() if n > MOST}


@dataclass(slots=True)
class _Run:
    source: Source
    trust: Trust
    found: Findings
    history: History
    frontier: tree.Frontier
    notes: dict[int, Checkpoint]
    anchors: dict[int, list[Checkpoint]]
    retired: dict[int, list[Retired]]
    listen: Callable[[int, int], None]
    gone: dict[int, dict[int, set[int]]] = field(default_factory=dict)
    pending: list[tuple[Entry, Details]] = field(default_factory=list)
    group: int = 1  # batches to take at a time, so that they have about as many events as a group
    batches: int = 0
    events: int = 0
    archived: int = 0
    last: Details | None = None
    skipped: int = 0
    broken: set[int] = field(default_factory=set)

    def read(self, since: int) -> None:
        """The whole log, record by record."""
        for n, body, details in self.source.log(since):
            if n != self.frontier.size:
                self.found.add(
                    "rewritten",
                    f"record {self.frontier.size} of the log is missing",
                    batch=self.frontier.size,
                )
                return
            self._record(n, body, details)
            self.frontier = self.frontier.add(tree.leaf(body.encode()))
            self._compare(n + 1)
            if len(self.pending) >= self.group:
                self.flush()
        self.flush()

    def _record(self, n: int, body: str, details: str | None) -> None:
        try:
            entry = Entry.parse(body)
            if entry.n != n:
                raise ValueError(f"it says that it is record {entry.n}")
            match entry.kind:
                case "batch":
                    self._batch(entry, Details.parse(details or ""))
                case "key":
                    self.trust.key(n, PublicKey.parse(entry.fields.get("key", "")), self.notes.get(n + 1))
                case "era":
                    self.history.era(entry)
                case "retired":
                    self.history.retirement(entry)
                case "accepted":
                    self.history.accept(entry)
        except (ValueError, KeyError) as error:
            self.found.add("rewritten", f"record {n} of the log cannot be read: {error}", batch=n)

    def _batch(self, entry: Entry, details: Details) -> None:
        self.batches += 1
        self.last = details
        if details.digest != entry.fields["details"]:
            self.found.add("rewritten", "its details are not those that were signed", batch=entry.n)
        self.history.layout(entry.n, details.layout)
        self.pending.append((entry, details))

    def _compare(self, size: int) -> None:
        """Hold the root at a size against the checkpoints that speak of it."""
        known = self.notes.get(size)
        if known is not None and known.root != self.frontier.root:
            self.broken.add(size)
        for point in self.anchors.get(size, ()):
            self.history.anchored(point, self.frontier.root, self.trust)

    def flush(self) -> None:
        """Look at the batches that wait."""
        if not self.pending:
            return
        trees = self.source.subtrees([entry.n for entry, _ in self.pending])
        checked = damages.Batches(self.source, self.history, self.found, self.gone)
        for entry, details in self.pending:
            if entry.n not in trees:
                self.skipped += 1
                continue
            self._tree(entry, details, trees[entry.n])
            checked.add(entry, details, trees[entry.n])
        self.events += checked.compare()
        self.archived += checked.archived
        many = sum(len(sub.keys) for subs in trees.values() for sub in subs) // len(self.pending)
        self.group = max(1, min(MOST_BATCHES, GROUP // max(many, 1)))
        self.listen(self.pending[-1][0].n + 1, max(self.notes, default=0))
        self.pending.clear()

    def _tree(self, entry: Entry, details: Details, trees: list[batch.Subtree]) -> None:
        try:
            root = tree.root(batch.places(details.secret, trees))
            if any(len(sub.leaves) != len(sub.keys) for sub in trees):
                raise ValueError("as many ids as hashes")
        except ValueError as error:
            self.found.add("rewritten", f"its hashes cannot be read: {error}", batch=entry.n)
            return
        if base64.b64encode(root).decode() != entry.fields.get("root"):
            self.found.add(
                "rewritten", "its hashes do not give the root that was signed for it", batch=entry.n
            )


def verify(
    source: Source,
    trusted: Sequence[PublicKey] = (),
    anchors: Sequence[Checkpoint] = (),
    since: State | None = None,
    listen: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Verify a trail and its seal.

    ``trusted``: the public keys known from elsewhere; without one, the log's own are taken, which is said.
    ``anchors``: checkpoints kept elsewhere. ``since``: only what was added since an earlier verification.
    ``listen`` gets the number of records read and the number there are.
    """
    found = Findings()
    run = _start(source, trusted, anchors, since, found, listen)
    if since is not None:
        _agree(run, since)
    run.read(since.size if since else 0)
    _signatures(run)
    run.history.finish(run.frontier.size, run.trust)
    found.accepted("backdated", run.history.accepted)
    unsealed = _strangers(run)
    if run.skipped:
        found.add(
            "not looked",
            f"the events of the first {run.skipped} batches are not in this export",
            level="note",
        )
    tip = run.notes.get(run.frontier.size)
    good = not any(damage.level == "error" for damage in found.kept)
    key = run.trust.current
    return Report(
        findings=tuple(sorted(found.kept, key=lambda d: ("error", "warning", "note").index(d.level))),
        more=found.more, records=run.frontier.size, batches=run.batches, events=run.events, archived=run.archived,
        unsealed=unsealed, checkpoint=tip, begun=since.size if since else 0, anchors=len(anchors),
        state=State(run.frontier.size, run.frontier, str(key), run.history.baseline_digest) if good and key else None,
    )  # fmt: skip


def dropped(
    trusted: Sequence[PublicKey] = (), anchors: Sequence[Checkpoint] = (), since: State | None = None
) -> Report | None:
    """What is to be said where there is no seal, and somebody outside knows of one; None where nobody does.

    An anchor's checkpoint counts where a key that is known from elsewhere signed it.
    """
    found = Findings()
    trust = Trust(found, tuple(trusted), PublicKey.parse(since.key) if since else None)
    known = {point.size: "an anchor" for point in anchors if trust.ours(point)}
    if since is not None:
        known[since.size] = "the verification before"
    size = max(known, default=0)
    if not size:
        return None
    found.add(
        "truncated",
        f"{known[size]} knows a log of {size} records, and the seal (schema tenantry_audit) is not there: it was "
        "dropped, or a restore left it out",
    )
    return Report(
        findings=tuple(found.kept), more={}, records=0, batches=0, events=0, archived=0, unsealed=0, checkpoint=None,
        begun=0, anchors=len(anchors), state=None,
    )  # fmt: skip


def _start(
    source: Source,
    trusted: Sequence[PublicKey],
    anchors: Sequence[Checkpoint],
    since: State | None,
    found: Findings,
    listen: Callable[[int, int], None],
) -> _Run:
    notes: dict[int, Checkpoint] = {}
    for size, text in source.checkpoints():
        try:
            notes[size] = checkpoint.parse(text)
            if notes[size].size != size:
                raise ValueError(f"it says {notes[size].size}")
        except ValueError as error:
            found.add("rewritten", f"the stored checkpoint of size {size} cannot be read: {error}")
    by_size: dict[int, list[Checkpoint]] = {}
    for point in anchors:
        by_size.setdefault(point.size, []).append(point)
    try:
        layouts, retired = source.layouts(), source.retired()
    except ValueError as error:
        found.add("rewritten", f"layouts or retirements cannot be read: {error}")
        layouts, retired = {}, {}
    history = History(source, found, layouts, retired, since.layout if since else None)
    trust = Trust(found, tuple(trusted), PublicKey.parse(since.key) if since else None)
    run = _Run(
        source,
        trust,
        found,
        history,
        since.frontier if since else tree.Frontier(),
        notes,
        by_size,
        retired,
        listen,
    )
    for entries in retired.values():
        for entry in entries:
            run.gone.setdefault(entry.batch, {}).setdefault(entry.place, set()).update(entry.positions)
    history.anchors = by_size
    return run


def _agree(run: _Run, since: State) -> None:
    known = run.notes.get(since.size)
    if known is not None and known.root != since.frontier.root:
        run.found.add("rewritten", f"the first {since.size} records are not those of the verification before")
    if max(run.notes, default=0) < since.size:
        run.found.add("truncated", f"the verification before saw {since.size} records, now there are fewer")


def _signatures(run: _Run) -> None:
    """The last checkpoint must be signed and speak of the whole log; where it does not, say where that begins."""
    size = run.frontier.size
    if not run.notes:
        if size:
            run.found.add("signature", "the log has no checkpoint")
        return
    newest = max(run.notes)
    if newest > size:
        run.found.add(
            "truncated", f"the last checkpoint counts {newest} records, and the log has {size}", batch=size
        )
    elif newest < size:
        run.found.add("rewritten", f"records {newest} to {size - 1} are under no checkpoint", batch=newest)
    good = run.trust.signed(run.notes[newest])
    if good and not run.broken:
        return
    for at in sorted(run.notes):
        if at in run.broken or not run.trust.signed(run.notes[at]):
            kind: Kind = "rewritten" if at in run.broken else "signature"
            said = "does not fit the log" if at in run.broken else f"is not signed by {run.trust.wanted(at)}"
            run.found.add(
                kind,
                f"the checkpoint of size {at} {said}: the log is not the signed one from record {at - 1} on",
                batch=at - 1,
            )
            return


def _strangers(run: _Run) -> int:
    count = 0
    for stranger in run.source.strangers(run.last):
        if stranger.late:
            run.found.add(
                "backdated",
                "its transaction had ended when the last batch was sealed, but no batch has it: it was written "
                "later and pretends to be older",
                record=stranger.key,
            )
        else:
            count += 1
    return count
