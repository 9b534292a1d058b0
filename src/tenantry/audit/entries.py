"""The records of the log: lines ``key value``, the first of which says the kind. What is hashed is this text.

A batch, an era (the trail goes on in another place), a key that signs from now on, a partition that is retired,
a layout that was accepted although it protects less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Literal, get_args

from tenantry.audit import tree

EntryKind = Literal["batch", "era", "key", "retired", "accepted"]
_HEAD = "tenantry/{}/v1"


@dataclass(frozen=True, slots=True)
class Entry:
    """A record: its kind, its number in the log, and its fields. A value has no line break."""

    kind: EntryKind
    n: int
    fields: Mapping[str, str]

    def __post_init__(self) -> None:
        if any("\n" in value or not value for value in self.fields.values()):
            raise ValueError(f"record {self.n}: a value is empty or has a line break")

    @property
    def body(self) -> str:
        """The text that is hashed."""
        return f"{_HEAD.format(self.kind)}\nlog {self.n}\n{lines(self.fields)}"

    @property
    def leaf(self) -> bytes:
        """Its hash in the log tree."""
        return tree.leaf(self.body.encode())

    def get(self, key: str) -> str | None:
        """A field; None for one that is not there or says ``-``."""
        value = self.fields.get(key)
        return None if value == "-" else value

    @classmethod
    def parse(cls, text: str) -> Entry:
        """Read a body. Raises ValueError for one that this version does not know."""
        head, _, rest = text.partition("\n")
        kind = next((k for k in get_args(EntryKind) if head == _HEAD.format(k)), None)
        fields = read_lines(rest)
        number = fields.pop("log", "")
        if kind is None or not number.isdigit():
            raise ValueError(f"not a record of this version: {head[:60]!r}")
        entry = cls(kind, int(number), fields)
        if entry.body != text:
            raise ValueError(f"record {entry.n}: not in the form in which it was written")
        return entry


def lines(fields: Mapping[str, str]) -> str:
    """Fields as text, a line each."""
    return "".join(f"{key} {value}\n" for key, value in fields.items())


def read_lines(text: str) -> dict[str, str]:
    """Read what :func:`lines` wrote."""
    return {key: value for key, _, value in (line.partition(" ") for line in text.splitlines())}


@dataclass(frozen=True, slots=True)
class Details:
    """What a batch was sealed under. Its body has only the digest, so that a tenant who is shown the body learns
    neither how many transactions there were nor how the trail is guarded; ``seed`` keeps it from being guessed.

    ``snapshot`` and ``previous`` are those whose difference the batch is, ``by`` the rule; no event of the batch can
    be older than ``floor``, none of the next one older than ``open``. ``-`` where there is none.
    """

    era: str
    snapshot: str
    previous: str
    by: str
    layout: str
    floor: str
    open: str
    seed: str

    @property
    def text(self) -> str:
        """What is stored."""
        return lines(asdict(self))

    @property
    def digest(self) -> str:
        """SHA-256 of the text, hexadecimal."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def secret(self) -> bytes:
        """The seed."""
        return bytes.fromhex(self.seed)

    @classmethod
    def parse(cls, text: str) -> Details:
        """Read a stored text. Raises ValueError."""
        try:
            found = cls(**read_lines(text))
        except TypeError as error:
            raise ValueError(f"not the details of a batch: {error}") from error
        if found.text != text:
            raise ValueError("details of a batch that are not in the form in which they were written")
        return found
