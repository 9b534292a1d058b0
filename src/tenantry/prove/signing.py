"""Signing the claims of the attacks with a key of the database, where the spec wants tenants signed."""

from __future__ import annotations

from dataclasses import replace

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


def signed(admin: Conn, spec: Spec, ground: Ground) -> Ground:
    """The same ground, whose claims are signed. Without a key nobody is let in: then there is a finding, and no target."""
    if not context.signed(spec):
        return ground
    try:
        key = keys.current(admin, spec)
        why = "no key is valid, so that every tenant is refused and nothing could be attacked"
    except psycopg.Error as error:
        key, why = None, f"could not look: {error.sqlstate or 'connection lost'} {str(error).strip()}"
    if key is None:
        finding = Finding("keys", "error", display(context.at(spec, "keys")), why, _FIX)
        return replace(ground, targets=(), findings=(*ground.findings, finding))
    signing = Signing(key, spec.tenancy.functions)
    return replace(ground, claims=replace(ground.claims, signing=signing))


def recognised(admin: Conn, catalog: Catalog) -> Signing | None:
    """How tenants are signed where no spec says it: by the function that checks it. None where nobody does, or no key
    is to be had: then every control tells that its value is not signed."""
    for function in catalog.functions:
        known = contextfunctions.recognise(function.source)
        if known is None or known[0] != "current_tenant":
            continue
        try:
            key = keys.newest(admin, QName(function.schema, "keys"), function.owner)
        except psycopg.Error:
            return None
        return Signing(key, function.schema) if key is not None else None
    return None
