"""What a log tells beside its batches: eras, retirements, and how the trail was guarded over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.damage import Damage
from tenantry.audit.entries import Entry
from tenantry.audit.layout import Layout, weaker
from tenantry.audit.store import Retired

if TYPE_CHECKING:
    from tenantry.audit.source import Source
    from tenantry.audit.trust import Trust
    from tenantry.audit.verify import Findings


def digest(entries: list[Retired]) -> str:
    """What the record of a retirement says of the events that it took; SHA-256, hexadecimal."""
    text = "".join(
        f"{e.batch} {e.place} {','.join(map(str, e.positions))}\n"
        for e in sorted(entries, key=lambda e: (e.batch, e.place))
    )
    return sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class History:
    """Collected while the log is read."""

    source: Source
    found: Findings
    layouts: dict[str, Layout]
    retired: dict[int, list[Retired]]
    baseline_digest: str | None
    anchors: dict[int, list[Checkpoint]] = field(default_factory=dict)
    accepted: int = 0  # the last record by which somebody accepted things as they were
    partitions: set[str] = field(default_factory=set)
    said: set[int] = field(default_factory=set)
    lost: list[tuple[int, int]] = field(default_factory=list)  # records kept, size that was lost
    weak: dict[str, tuple[int, int]] = field(default_factory=dict)  # damage in words: first and last batch

    def era(self, entry: Entry) -> None:
        """Another place."""
        if entry.fields.get("era") == "1":
            return
        why, reason, lost = entry.fields["why"], entry.get("reason"), entry.get("lost")
        level = "note"
        text = f"era {entry.fields['era']} begins: {why}" + (f" ({reason})" if reason else "")
        if lost:
            size = int(lost.split(" ")[0])
            self.lost.append((entry.n, size))
            level, text = (
                "warning",
                f"{text}; records {entry.n} to {size - 1} of the log before were given up",
            )
        self.found.add("era", text, level=level, batch=entry.n)

    def retirement(self, entry: Entry) -> None:
        """A partition that went with its archive."""
        self.said.add(entry.n)
        if digest(self.retired.get(entry.n, [])) != entry.fields["events"]:
            self.found.add("rewritten", "the list of retired events is not the signed one", batch=entry.n)
        self.partitions.add(entry.fields["partition"])
        self.found.add(
            "era",
            f"partition {entry.fields['partition']} was retired with {entry.fields['count']} events",
            level="note",
            batch=entry.n,
        )

    def accept(self, entry: Entry) -> None:
        """Somebody accepted a layout as it is."""
        self.baseline_digest, self.accepted = entry.fields["layout"], entry.n
        self.weak.clear()
        self.found.add(
            "era", f"the layout was accepted as it was: {entry.fields['reason']}", level="note", batch=entry.n
        )

    def layout(self, n: int, digest: str) -> None:
        """A batch was sealed under a layout."""
        layout = self.layouts.get(digest)
        if layout is None:
            self.found.add("rewritten", "the layout that it was sealed under is gone", batch=n)
            return
        if digest == self.baseline_digest:
            return
        if self.baseline_digest is None:
            self._first(n, layout)
        old = self.layouts.get(self.baseline_digest or digest, layout)
        damage = [str(Damage(d.kind, d.message)) for d in weaker(old, layout, frozenset(self.partitions))]
        for text in damage:
            first, _ = self.weak.get(text, (n, n))
            self.weak[text] = (first, n)
        if not damage:
            self.baseline_digest = digest

    def _first(self, n: int, layout: Layout) -> None:
        for guard in layout.guards:
            if guard.swallows and guard.enabled != "D":
                self.found.add(
                    "swallowed insert",
                    f"{guard} was there when sealing began; look whether it lets every event through",
                    level="note",
                    batch=n,
                )

    def anchored(self, point: Checkpoint, root: bytes, trust: Trust) -> None:
        """An anchor speaks of a size that the log has."""
        if point.root == root:
            return
        if any(kept < point.size <= size for kept, size in self.lost):
            return
        if trust.ours(point):
            self.found.add(
                "rewritten",
                f"an anchor holds a signed checkpoint of size {point.size} with another root: what was sealed before it "
                "was rewritten and signed again, with a stolen key or by whoever has it",
                batch=point.size - 1,
            )
        else:
            self._not_ours(point)

    def _not_ours(self, point: Checkpoint) -> None:
        self.found.add(
            "not looked",
            f"an anchor's checkpoint of size {point.size} is not signed by a trusted key",
            level="note",
        )

    def finish(self, size: int, trust: Trust) -> None:
        """After the last record: anchors that know of more, retirements nobody signed, and the guards now."""
        for at in sorted(self.anchors):
            for point in self.anchors[at] if at > size else []:
                if any(kept < at <= lost for kept, lost in self.lost):
                    continue
                if trust.ours(point):
                    self.found.add(
                        "truncated",
                        f"an anchor holds a signed checkpoint of {at} records, the log has {size}: its end is gone",
                        batch=size,
                    )
                    return
                self._not_ours(point)
        for record in self.retired.keys() - self.said:
            self.found.add(
                "rewritten", "events are marked as retired by a record that says no such thing", batch=record
            )
        self._guards()

    def _guards(self) -> None:
        now, base = self.source.now(), self.layouts.get(self.baseline_digest or "")
        current = list(weaker(base, now, frozenset(self.partitions))) if now and base else []
        for damage in current:
            self.found.note(damage)
        for text, (first, last) in self.weak.items():
            if text not in {str(d) for d in current}:
                kind = text.removeprefix("ERROR ").partition(":")[0]
                words = text.partition(": ")[2]
                between = f"in batch {first}" if first == last else f"in batches {first} to {last}"
                self.found.add(kind, f"{words} ({between}; not so now)", level="warning", batch=first)  # type: ignore[arg-type]
