"""The spec: which table belongs to tenants, which is shared, which is left alone. Reads ``tenantry.toml``.

A spec is a closed world: a table that it does not mention stops the planner. Everything that a person must
decide is a key here; ``"undecided"`` is a legal value everywhere a decision is asked, and stops the planner.
"""

from __future__ import annotations

from tenantry.spec.base import UNDECIDED, Model
from tenantry.spec.document import Render, Resolver, Roles, Spec, Tenancy, Tenant
from tenantry.spec.reading import json_schema, load, parse
from tenantry.spec.search import LIMIT, OFFSET, Search
from tenantry.spec.source import (
    SOURCES,
    Constant,
    FromColumn,
    FromExpression,
    FromMapping,
    FromParent,
    Source,
)
from tenantry.spec.table import TableRule, UniqueRule
from tenantry.spec.trail import ACTION, ACTION_LENGTH, RESERVED, Audit, Capture

__all__ = [
    "ACTION",
    "ACTION_LENGTH",
    "LIMIT",
    "OFFSET",
    "RESERVED",
    "SOURCES",
    "UNDECIDED",
    "Audit",
    "Capture",
    "Constant",
    "FromColumn",
    "FromExpression",
    "FromMapping",
    "FromParent",
    "Model",
    "Render",
    "Resolver",
    "Roles",
    "Search",
    "Source",
    "Spec",
    "TableRule",
    "Tenancy",
    "Tenant",
    "UniqueRule",
    "json_schema",
    "load",
    "parse",
]
