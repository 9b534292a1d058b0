"""Saying a tenant that nobody signed, or that was signed for another one, another time or by somebody else."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from functools import partial

from tenantry.attacks import lab as at
from tenantry.attacks.aim import residents
from tenantry.attacks.claims import LIFETIME, Signing
from tenantry.attacks.lab import Context, Lab
from tenantry.attacks.reach import Reach
from tenantry.attacks.target import Target
from tenantry.attacks.verdict import Control, Try, judge, looked, meaning
from tenantry.finding import NO_ROWS, Outcome
from tenantry.names import literal, quote
from tenantry.runtime.signing import Key

NAME = "forge"
WHY = "A session says a tenant without a valid signature, and reads its rows; or it reaches the keys."
WRITES = False
SABOTAGE = ()  # only where tenants are signed: mutations/vault.toml
REPAIR = ()


def run(lab: Lab, reach: Reach) -> Iterator[Outcome]:
    """Every table with a tenant's rows, and the keys; nothing where tenants are not signed."""
    signing = lab.claims.signing
    if signing is None:
        return
    for target in lab.targets.values():
        if target.kind != "trail" and target.rights.select:
            yield looked(NAME, target.label, partial(_forged, lab, signing, target))
    yield looked(NAME, f"{signing.schema}.keys", partial(_keys, lab, signing))


def values(signing: Signing, tenant: str, other: str, now: int) -> Mapping[str, str]:
    """What a forger may try to be ``tenant``, having a good value for ``other`` and old ones of everybody."""
    key = signing.key
    made_up = Key.made_of(key.id, secrets.token_bytes(32))
    good = key.sign(other, now + LIFETIME)
    old = {"a key that ended": signing.ended.sign(tenant, now + LIFETIME)} if signing.ended else {}
    return old | {
        "an unsigned value": tenant,
        "a key that was made up": made_up.sign(tenant, now + LIFETIME),
        "a key that is not there": Key("none", key.inner, key.outer).sign(tenant, now + LIFETIME),
        "another tenant's signature": good.removesuffix(other) + tenant,
        "an end that was moved": key.sign(tenant, now - LIFETIME).replace(
            f".{now - LIFETIME}.", f".{now + LIFETIME}."
        ),
        "a value that has ended": key.sign(tenant, now - LIFETIME),
        "a value that never ends": key.sign(tenant, now + 10**9),
        "no signature": f".{key.id}.{now + LIFETIME}.{tenant}",
    }


def _forged(lab: Lab, signing: Signing, target: Target) -> Outcome:
    """Each forged value for a tenant that has a row there; the control says the same tenant, signed."""
    owner = target.owner("t")
    row = lab.look(f"SELECT {owner} FROM {target.sql} AS t WHERE {owner} IS NOT NULL LIMIT 1")
    if row is None:
        return Outcome(NAME, target.label, "error", detail=NO_ROWS)
    tenant = str(row[0])
    other = next((t for t in residents(lab) if t != tenant), lab.ghost)
    query = f"SELECT 1 FROM {target.sql} LIMIT 1"
    setting = lab.claims.claims[0].setting
    tries = [
        _said(lab, setting, what, value, query)
        for what, value in values(signing, tenant, other, int(time.time())).items()
    ]
    with lab.as_app(at.tenant(tenant)) as run_:
        seen = run_(query)
    return judge(lab, NAME, target.label, tries, Control(seen, bool(seen.rows)))


def _said(lab: Lab, setting: str, what: str, value: str, query: str) -> Try:
    context = Context(what, None, "unset")
    said = f"SELECT pg_catalog.set_config({literal(setting)}, {literal(value)}, true)"
    with lab.as_app(at.EMPTY) as run_:
        run_(said)
        result = run_(query)
    return Try(context, query, result, meaning(result), f"{said}; {query}")


def _keys(lab: Lab, signing: Signing) -> Outcome:
    """As the application: the keys, the function that signs, and another body for the one that checks."""
    table, sign = quote(signing.schema, "keys"), signing.call(lab.ghost)
    check = quote(signing.schema, "current_tenant")
    statements = (
        f"SELECT inner_pad FROM {table} LIMIT 1",
        f"UPDATE {table} SET until = NULL",
        f"INSERT INTO {table} (id, inner_pad, outer_pad) VALUES ('forged', '', '')",
        f"SELECT {sign}",
        f"ALTER FUNCTION {check}() SECURITY INVOKER",
        f"CREATE TABLE {quote(signing.schema, 'forged')} ()",
    )
    tries = []
    for statement in statements:
        with lab.as_app(at.EMPTY) as run_:
            result = run_(statement)
        tries.append(Try(at.EMPTY, statement, result, meaning(result)).ran())
    owner = lab.look(
        "SELECT pg_catalog.pg_get_userbyid(relowner) FROM pg_catalog.pg_class "
        f"WHERE oid = pg_catalog.to_regclass({literal(table)})"
    )
    with lab.as_admin(owner[0] if owner else None) as run_:
        seen = run_(statements[0])
    return judge(lab, NAME, f"{signing.schema}.keys", tries, Control(seen, bool(seen.rows)))
