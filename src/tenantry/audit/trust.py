"""Which key must have signed a checkpoint: the one in force at its size, known from elsewhere or handed on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.keys import PublicKey

if TYPE_CHECKING:
    from tenantry.audit.verify import Findings


@dataclass(slots=True)
class Trust:
    """The keys of a log, as its records name them, and which of them are trusted."""

    found: Findings
    given: tuple[PublicKey, ...]
    before: PublicKey | None = None  # the key in force where an incremental verification begins
    keys: list[tuple[int, PublicKey, bool]] = field(default_factory=list)  # since which record, key, trusted

    def __post_init__(self) -> None:
        if self.before is not None:
            self.keys.append((-1, self.before, not self.given or self.before in self.given))
        if not self.given:
            self.found.add(
                "not looked",
                "the public key was taken from the database itself; whoever can write there can replace it: name it with --public-key",
                level="warning",
            )

    @property
    def current(self) -> PublicKey | None:
        """The key that signs now."""
        return self.keys[-1][1] if self.keys else None

    def key(self, n: int, key: PublicKey, signed: Checkpoint | None) -> None:
        """Record ``n`` names a key; ``signed`` is the checkpoint that includes it."""
        trusted = key in self.given or (not self.given and not self.keys)
        if self.keys and not trusted:
            _, old, old_trusted = self.keys[-1]
            trusted = old_trusted and signed is not None and signed.signed_by(old)
        if not trusted:
            self.found.add(
                "signature",
                f"key {key.name}+{key.id.hex()} is not a trusted one, nor handed on by one",
                batch=n,
            )
        self.keys.append((n, key, trusted))

    def in_force(self, size: int) -> PublicKey | None:
        """The trusted key that signs a checkpoint of that size."""
        held = [(key, trusted) for n, key, trusted in self.keys if n < size]
        return held[-1][0] if held and held[-1][1] else None

    def signed(self, point: Checkpoint) -> bool:
        """Whether a checkpoint is signed as it must be."""
        key = self.in_force(point.size)
        return key is not None and point.origin == key.name and point.signed_by(key)

    def ours(self, point: Checkpoint) -> bool:
        """Whether any trusted key signed it; for a checkpoint beyond the log, or against it."""
        known = [*self.given, *(key for _, key, trusted in self.keys if trusted)]
        return any(point.origin == key.name and point.signed_by(key) for key in known)

    def wanted(self, size: int) -> str:
        """The key in words."""
        key = self.in_force(size)
        return f"{key.name}+{key.id.hex()}" if key else "a trusted key"
