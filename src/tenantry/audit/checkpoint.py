"""Checkpoints: what a log looked like at a size, signed. Format: c2sp.org/tlog-checkpoint in c2sp.org/signed-note.

audit.example.com
17
47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=

— audit.example.com 8BMFOv…
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from tenantry.audit.keys import PrivateKey, PublicKey
from tenantry.audit.tree import SIZE

_DASH = "— "


@dataclass(frozen=True, slots=True)
class Signature:
    """One line of a note: the name it claims, the id of the key, 64 bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement: the log of ``origin`` had ``size`` records and this root."""

    origin: str
    size: int
    root: bytes
    signatures: tuple[Signature, ...] = ()

    @property
    def body(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def __str__(self) -> str:
        lines = [
            f"{_DASH}{s.name} {base64.b64encode(s.key_id + s.signature).decode()}" for s in self.signatures
        ]
        return self.body + "\n" + "".join(f"{line}\n" for line in lines)

    def signed(self, keys: Iterable[PrivateKey]) -> Checkpoint:
        """The same with the signatures of these keys added."""
        added = (Signature(k.public.name, k.public.id, k.sign(self.body.encode())) for k in keys)
        return Checkpoint(self.origin, self.size, self.root, (*self.signatures, *added))

    def signed_by(self, key: PublicKey) -> bool:
        """Whether one of the signatures is that key's. Signatures of others (witnesses) do not matter."""
        return any(
            s.name == key.name and s.key_id == key.id and key.verifies(s.signature, self.body.encode())
            for s in self.signatures
        )


def parse(text: str) -> Checkpoint:
    """Read a note. Raises ValueError for anything else; extension lines are none of ours and are refused."""
    body, blank, tail = text.partition("\n\n")
    match body.split("\n"):
        case [origin, number, root_text] if blank and origin and tail.endswith("\n"):
            pass
        case _:
            raise ValueError("not a checkpoint: origin, size, root, an empty line, signatures")
    if not number.isascii() or not number.isdigit() or (number[0] == "0" and number != "0"):
        raise ValueError(f"not a checkpoint: size {number!r}")
    root = _decode(root_text)
    if len(root) != SIZE:
        raise ValueError(f"not a checkpoint: a root of {len(root)} bytes")
    return Checkpoint(origin, int(number), root, tuple(_signature(line) for line in tail[:-1].split("\n")))


def _signature(line: str) -> Signature:
    name, space, text = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise ValueError(f"not a signature line: {line[:60]!r}")
    data = _decode(text)
    return Signature(name, data[:4], data[4:])


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {text[:60]!r}") from error
