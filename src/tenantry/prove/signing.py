"""Signing the claims of the attacks with a key of the database, where the spec wants tenants signed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import psycopg

from tenantry import keys
from tenantry.attacks.claims import Signing
from tenantry.catalog import Catalog
from tenantry.finding import Finding
from tenantry.names import QName, display
from tenantry.prove.ground import Ground
from tenantry.session import Conn
from tenantry.spec import Spec
from tenantry.steps import context, contextfunctions

_FIX = "make one with `tenantry keys new`; prove as a superuser or a role that may SET ROLE to the owner of the keys"


@dataclass(frozen=True, slots=True)
class Found:
    """How tenants are signed where no spec says it; ``finding`` where they are, and no key is to be had."""

    signing: Signing | None = None
    finding: Finding | None = None


def signed(admin: Conn, spec: Spec, ground: Ground) -> Ground:
    """The same ground, whose claims are signed. Without a key nobody is let in: then there is a finding, and no target."""
    if not context.signed(spec):
        return ground
    found = _look(admin, context.at(spec, "keys"), spec.roles.context)
    if found.finding is not None:
        return replace(ground, targets=(), findings=(*ground.findings, found.finding))
    return replace(ground, claims=replace(ground.claims, signing=found.signing))


def recognised(admin: Conn, catalog: Catalog) -> Found:
    """How tenants are signed where no spec says it: by the function that checks it. Raises psycopg.Error when the
    connection is lost."""
    for function in catalog.functions:
        known = contextfunctions.recognise(function.source)
        if known is not None and known[0] == "current_tenant":
            return _look(admin, QName(function.schema, "keys"), function.owner)
    return Found()


def _look(admin: Conn, table: QName, owner: str) -> Found:
    """The newest key of a table, as its owner reads it."""
    try:
        key, ended = (keys.newest(admin, table, owner, ended=over) for over in (False, True))
        why = "no key is valid, so that every tenant is refused and nothing could be attacked"
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        key, ended, why = None, None, f"could not look: {error.sqlstate} {error.diag.message_primary}"
    if key is None:
        return Found(finding=Finding("keys", "error", display(table), why, _FIX))
    return Found(Signing(key, table.schema, ended))
