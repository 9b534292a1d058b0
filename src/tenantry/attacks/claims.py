"""How a session says which tenant it is: settings, plain or with JSON in them, and who is a member of what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantry.names import QName, literal, qualified, quote


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
    """A table that says who belongs to which tenant. ``nobody`` is somebody who is in none."""

    table: QName
    who: str
    tenant: str
    nobody: str

    def of(self, key: str) -> str:
        """A query for somebody who is a member of that tenant and of no other."""
        table, who, of = qualified(self.table), quote(self.who), quote(self.tenant)
        return (
            f"SELECT m.{who}::text FROM {table} AS m WHERE m.{of} = {literal(key)} AND m.{who} IS NOT NULL "
            f"AND NOT EXISTS (SELECT FROM {table} AS o WHERE o.{who} = m.{who} AND o.{of} <> m.{of}) LIMIT 1"
        )


@dataclass(frozen=True, slots=True)
class Claims:
    """All that a session must say. ``members`` where tenants are not named but looked up."""

    claims: tuple[Claim, ...]
    members: Members | None = None

    def settings(self, key: str, who: str) -> Mapping[str, str]:
        """The settings of somebody who speaks for a tenant; empty ones for no tenant."""
        found: dict[str, str] = {}
        objects: dict[str, dict[str, Any]] = {}
        for claim in self.claims:
            value = key if claim.tenant else who
            if not claim.path:
                found[claim.setting] = value
                continue
            found.setdefault(claim.setting, "")
            inner = objects.setdefault(claim.setting, {})
            for step in claim.path[:-1]:
                inner = inner.setdefault(step, {})
            inner[claim.path[-1]] = value
        return found | ({s: json.dumps(o) for s, o in objects.items()} if key else {})
