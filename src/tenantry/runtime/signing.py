"""Signing the tenant, for databases whose spec says ``context = "signed"``: give a Binding a :class:`Signer`.

The setting then holds ``MAC.KEY.UNTIL.TENANT``. The MAC is HMAC-SHA-256 (RFC 2104) over the rest, UNTIL the end in
seconds since 1970; a transaction that begins after it is refused.
"""

from __future__ import annotations

import base64
import binascii
import functools
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from tenantry.errors import TenantError

ENVIRONMENT = "TENANTRY_SIGNING_KEY"
SCHEMA = "tenant_context"
MOST_SECONDS = 600  # the server takes an end up to 900 s ahead; the rest is for clocks that differ
_BLOCK = 64  # bytes of a block of SHA-256
_KEY = re.compile(r"([a-z0-9]+)\.([A-Za-z0-9_-]{43,})")


@dataclass(frozen=True, slots=True)
class Key:
    """A key: its name, and what it comes to with the two pads of RFC 2104."""

    id: str
    inner: bytes = field(repr=False)
    outer: bytes = field(repr=False)

    @classmethod
    def made_of(cls, id_: str, secret: bytes) -> Key:
        """From the secret itself, of any length."""
        block = (sha256(secret).digest() if len(secret) > _BLOCK else secret).ljust(_BLOCK, b"\0")
        return cls(id_, bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block))

    def mac(self, message: bytes) -> bytes:
        """HMAC-SHA-256."""
        return sha256(self.outer + sha256(self.inner + message).digest()).digest()

    def sign(self, tenant: str, until: int) -> str:
        """What the setting holds for a tenant, good for transactions that begin until then (seconds since 1970)."""
        payload = f"{self.id}.{until}.{tenant}"
        return f"{self.mac(payload.encode()).hex()}.{payload}"


def written(id_: str, secret: bytes) -> str:
    """A key as people hand it on: its name, a dot, the secret in base64."""
    return f"{id_}.{base64.urlsafe_b64encode(secret).decode().rstrip('=')}"


@functools.lru_cache(maxsize=8)
def read(text: str) -> Key:
    """A key that was written so. Raises TenantError, without the text, for what is none."""
    found = _KEY.fullmatch(text.strip())
    try:
        secret = base64.urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4)) if found else b""
    except binascii.Error:
        secret = b""
    if found is None or len(secret) < 32:
        raise TenantError(
            "the key that signs tenants is none: it reads NAME.SECRET, as `tenantry keys new` prints it; "
            f"correct {ENVIRONMENT}, or what Signer(key) was given"
        )
    return Key.made_of(found[1], secret)


def value(key: Key | None, tenant: str, seconds: int) -> str:
    """What the setting holds for a tenant for so many seconds from now; as it is without a key."""
    return key.sign(tenant, int(time.time()) + seconds) if key is not None and tenant else tenant


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs the tenant of each transaction, for ``lifetime`` seconds from its beginning.

    ``key`` is the text that `tenantry keys new` prints, or a function that returns it and is asked each time; left out,
    the environment variable TENANTRY_SIGNING_KEY. ``schema`` is [tenancy] functions. Raises TenantError for a lifetime
    that the server would refuse, and at work where there is no key.
    """

    key: str | Callable[[], str] | None = field(default=None, repr=False)
    lifetime: int = 60
    schema: str = SCHEMA

    def __post_init__(self) -> None:
        if not 1 <= self.lifetime <= MOST_SECONDS:
            raise TenantError(f"lifetime = {self.lifetime}: say 1 to {MOST_SECONDS} seconds")
        if not self.schema or "\0" in self.schema:
            raise TenantError(f"schema {self.schema!r} is no name")

    def value(self, tenant: str) -> str:
        """What the setting holds for a tenant from now on."""
        text = self.key() if callable(self.key) else self.key or os.environ.get(ENVIRONMENT, "")
        if not text:
            raise TenantError(
                f"no key to sign the tenant with: set {ENVIRONMENT}, or give Signer(key); `tenantry keys new` makes one"
            )
        return value(read(text), tenant, self.lifetime)

    @property
    def statement(self) -> str:
        """What binds the running transaction to a value, its one parameter: no other session sees a parameter."""
        schema = self.schema.replace('"', '""')
        return f'SELECT "{schema}".enter($1)'
