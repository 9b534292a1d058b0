"""Secrets that the application gives out, and what it keeps of them: a SHA-256, from which nothing comes back.

All of them are 256 random bits, so a plain hash is enough; a password would need a slow one.
"""

import hashlib
import hmac
import secrets


def new_secret(prefix: str = "") -> str:
    """A new secret, safe in a URL, a header and a cookie."""
    return prefix + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def form_token(session_secret: str) -> str:
    """What a form of this session must bring along. Whoever cannot read the cookie cannot make it."""
    return hmac.new(session_secret.encode(), b"form", hashlib.sha256).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def key_of(authorization: str) -> str:
    """The API key in an Authorization header, "" in one of another kind."""
    kind, _, key = authorization.partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""
