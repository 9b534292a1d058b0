"""Names as words, and the words that mean something."""

from __future__ import annotations

import re
from functools import lru_cache

# What people call a tenant, by how much the word alone says.
TENANT = frozenset({"tenant"})
ORGANIZATION = frozenset({"organization", "organisation", "org", "workspace"})
GENERIC = frozenset({"account", "agency", "client", "company", "customer", "merchant", "shop", "team"})

# Keys over such columns are looked up before anybody knows the tenant: at login, by a token, by a host name.
_CREDENTIAL = frozenset(
    {"apikey", "domain", "email", "host", "hostname", "login", "mail", "oauth", "openid", "password", "phone"}
    | {"provider", "saml", "secret", "session", "sso", "subdomain", "token", "username", "webhook"}
)
_CREDENTIAL_ENDINGS = frozenset({"hash", "key"})

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


@lru_cache(maxsize=65536)
def words(name: str) -> tuple[str, ...]:
    """The words of a name, lower case: ``organizationId`` and ``organization_id`` are the same two."""
    return tuple(_WORD.findall(_HUMP.sub("_", name).lower()))


def singular(word: str) -> str:
    """A rough singular, enough to match ``companies`` with ``company``."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def noun(name: str) -> str:
    """The last word of a table's name, singular: what one row is."""
    found = words(name)
    return singular(found[-1]) if found else ""


def identifiers(text: str) -> frozenset[str]:
    """Everything in a piece of SQL that could be a name."""
    return frozenset(_IDENTIFIER.findall(text))


def flat(sql: str) -> str:
    """An expression on one line, to be shown; the server breaks long ones."""
    return " ".join(sql.split())


def credential(column: str) -> bool:
    """True when a column's name sounds like something that is looked up without a tenant."""
    found = words(column)
    return not _CREDENTIAL.isdisjoint(found) or (len(found) > 1 and found[-1] in _CREDENTIAL_ENDINGS)


def tenant_like(column: str) -> bool:
    """True for ``tenant_id``, ``orgId``, ``company_id`` …: a column that may already say whose a row is."""
    found = words(column)
    return (len(found) == 2 and found[1] in ("id", "uuid") and _names_tenant(found[0])) or found in (
        ("tenant",),
        ("tenantid",),
    )


def names_tenant_column(column: str) -> bool:
    """True for the spellings of ``tenant_id`` itself."""
    return words(column) in (("tenant", "id"), ("tenant", "uuid"), ("tenantid",), ("tenant",))


def _names_tenant(word: str) -> bool:
    return word in TENANT or word in ORGANIZATION or word in GENERIC
