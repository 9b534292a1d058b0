"""Signing keys: Ed25519, written as the signed notes of c2sp.org/signed-note write them.

The private key is a file, ``PRIVATE+KEY+name+id+base64``; the public one a line, ``name+id+base64``, which other
tools for signed notes read too. The name says whose log it is; a checkpoint carries it as its origin.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from tenantry.errors import SpecError, TenantryError, unreadable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ed25519

_ALGORITHM = b"\x01"  # Ed25519, in signed notes
_PRIVATE = "PRIVATE+KEY+"
_NAME = re.compile(r"[^\s+]+")


def _ed25519() -> type:
    """The module of the algorithm. Raises TenantryError where it is not installed."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise TenantryError(
            "sealing and verifying need the package cryptography; pip install 'tenantry[audit]'"
        ) from None
    return ed25519  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What verifies: the name of the log and 32 bytes."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature tells its key."""
        return sha256(self.name.encode() + b"\n" + _ALGORITHM + self.raw).digest()[:4]

    def __str__(self) -> str:
        body = base64.b64encode(_ALGORITHM + self.raw).decode()
        return f"{self.name}+{self.id.hex()}+{body}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature of the message is one of this key."""
        _ed25519()
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    @classmethod
    def parse(cls, text: str, where: str = "public key") -> PublicKey:
        """Read a line ``name+id+base64``. Raises SpecError."""
        parts = text.strip().split("+", 2)
        try:
            name, short, body = parts
            data = base64.b64decode(body, validate=True)
        except (ValueError, binascii.Error):
            raise SpecError(
                f"{where}: not a public key; it is one line, name+id+base64, as `tenantry audit key` prints it"
            ) from None
        key = cls(name, data[1:])
        if data[:1] != _ALGORITHM or len(key.raw) != 32 or key.id.hex() != short:
            raise SpecError(f"{where}: not an Ed25519 key, or damaged: its id does not fit; copy it again")
        return key


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """What signs. Its text never shows the secret."""

    public: PublicKey
    secret: ed25519.Ed25519PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self.secret.sign(message)


def create(path: Path, name: str) -> PublicKey:
    """Write a new private key to a file that only its owner reads. Raises SpecError, OSError where one is there."""
    if not _NAME.fullmatch(name):
        raise SpecError(f"key name {name!r}: it has no spaces and no +; say for example audit.example.com")
    _ed25519()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    secret = Ed25519PrivateKey.generate()
    public = PublicKey(name, secret.public_key().public_bytes_raw())
    body = base64.b64encode(_ALGORITHM + secret.private_bytes_raw()).decode()
    text = f"{_PRIVATE}{name}+{public.id.hex()}+{body}\n"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return public


def load(path: Path) -> PrivateKey:
    """Read a private key. Raises SpecError when others may read the file, or when it holds no key."""
    _ed25519()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        text, mode = path.read_text(encoding="utf-8"), path.stat().st_mode
    except OSError as error:
        raise SpecError(
            f"{path}: cannot be read ({error.strerror}); `tenantry audit keygen` makes a key"
        ) from None
    if mode & 0o077:
        raise SpecError(f"{path}: others may read the private key; chmod 600 {path}")
    wrong = SpecError(f"{path}: not a private key; `tenantry audit keygen` makes one")
    try:
        name, short, body = text.strip().removeprefix(_PRIVATE).split("+", 2)
        data = base64.b64decode(body, validate=True)
        secret = Ed25519PrivateKey.from_private_bytes(data[1:])
    except (ValueError, binascii.Error):
        raise wrong from None
    key = PrivateKey(PublicKey(name, secret.public_key().public_bytes_raw()), secret)
    if not text.startswith(_PRIVATE) or data[:1] != _ALGORITHM or key.public.id.hex() != short:
        raise wrong
    return key


def read_public(paths: Iterable[Path]) -> tuple[PublicKey, ...]:
    """The public keys of files, a line each; empty lines and lines after # are left out. Raises SpecError."""
    found = []
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(
                f"{path}: cannot be read ({unreadable(error)}); `tenantry audit key` writes public keys"
            ) from None
        found += [PublicKey.parse(line, str(path)) for line in lines if line.strip() and line[0] != "#"]
    return tuple(found)
