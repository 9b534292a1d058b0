"""How a session says which tenant it is: settings, plain or with JSON in them, and who is a member of what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantry.names import QName, literal, qualified, quote
from tenantry.runtime.signing import Key, value

LIFETIME = 120  # seconds from signing until the transaction begins


@dataclass(frozen=True, slots=True)
class Claim:
    """One place that policies read: a setting, or what is at ``path`` in the JSON object that it holds.

    ``tenant``: the value is the tenant itself; else whoever is a member of it.
    """

    setting: str
    path: tuple[str, ...] = ()
    tenant: bool = True


@dataclass(frozen=True, slots=True)
class Members:
    """A table that says who belongs to which tenant. ``nobody`` is somebody who is in none.

    ``rather`` are a column and its value: members with it may do most.
    """

    table: QName
    who: str
    tenant: str
    nobody: str
    rather: tuple[str, str] | None = None

    def of(self, key: str) -> str:
        """A query for somebody who is a member of that tenant and of no other."""
        order = ""
        if self.rather is not None:
            column, value = self.rather
            order = f" ORDER BY (m.{quote(column)}::text = {literal(value)}) DESC NULLS LAST"
        mine = f"m.{quote(self.tenant)} = {literal(key)}"
        return f"SELECT m.{quote(self.who)}::text {self._alone} AND {mine}{order} LIMIT 1"

    def speaks(self, tenant: str) -> str:
        """A condition: somebody is a member of that tenant alone, which is an SQL expression that yields text."""
        return f"EXISTS (SELECT {self._alone} AND m.{quote(self.tenant)}::text = {tenant})"

    @property
    def _alone(self) -> str:
        table, who, of = qualified(self.table), quote(self.who), quote(self.tenant)
        others = f"SELECT FROM {table} AS o WHERE o.{who} = m.{who} AND o.{of} <> m.{of}"
        return f"FROM {table} AS m WHERE m.{who} IS NOT NULL AND NOT EXISTS ({others})"


@dataclass(frozen=True, slots=True)
class Signing:
    """How tenants are signed: a key of the database, ``schema`` where its functions are, and a key that ``ended``."""

    key: Key
    schema: str
    ended: Key | None = None

    def call(self, tenant: str) -> str:
        """SQL that signs a tenant, for an administrator."""
        return f"{quote(self.schema, 'sign')}({literal(tenant)}, {LIFETIME})"


@dataclass(frozen=True, slots=True)
class Claims:
    """All that a session must say. ``members`` where tenants are not named but looked up, ``signing`` where they are signed."""

    claims: tuple[Claim, ...]
    members: Members | None = None
    signing: Signing | None = None

    def settings(self, key: str, who: str) -> Mapping[str, str]:
        """The settings of somebody who speaks for a tenant; empty ones for no tenant."""
        said = self.said({claim: self.named(key) if claim.tenant else who for claim in self.claims})
        return said if key else dict.fromkeys(said, "")

    def nothing(self) -> Mapping[str, str]:
        """The settings of a token without any of the claims; none where no claim is in JSON."""
        tokens = {claim.setting for claim in self.claims if claim.path}
        return {c.setting: "{}" if c.setting in tokens else "" for c in self.claims} if tokens else {}

    def said(self, values: Mapping[Claim, str]) -> Mapping[str, str]:
        """The settings that say just this; of two claims of which one is inside the other, the inner one."""
        found = {c.setting: value for c, value in values.items() if not c.path}
        objects: dict[str, dict[str, Any]] = {}
        for claim in sorted((c for c in values if c.path), key=lambda c: len(c.path)):
            inner = objects.setdefault(claim.setting, {})
            for step in claim.path[:-1]:
                if not isinstance(inner.get(step), dict):
                    inner[step] = {}
                inner = inner[step]
            inner[claim.path[-1]] = values[claim]
        return found | {setting: json.dumps(o) for setting, o in objects.items()}

    def speaks(self, tenant: str) -> str:
        """What a query adds so that it finds rows of such tenants only as somebody speaks for; often nothing."""
        return f" AND {self.members.speaks(tenant)}" if self.members is not None else ""

    def named(self, tenant: str) -> str:
        """A tenant as the setting holds it."""
        return value(self.signing.key if self.signing else None, tenant, LIFETIME)
