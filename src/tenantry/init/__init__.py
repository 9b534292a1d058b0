"""A first spec for a database: every table with a scope, a source and the evidence for them.

What the catalog cannot tell is written as ``"undecided"`` with the choices in a comment above it, and the
planner refuses it until somebody has chosen. Nothing is guessed about anybody's data.
"""

from __future__ import annotations

from dataclasses import dataclass

from tenantry import spec
from tenantry.catalog import Catalog
from tenantry.init import decide, situation, write


@dataclass(frozen=True, slots=True)
class Draft:
    """The text of a ``tenantry.toml``, the keys in it that are undecided, and what a person should know."""

    text: str
    undecided: tuple[str, ...]
    notes: tuple[str, ...]


def draft(catalog: Catalog, *, schemas: tuple[str, ...] | None = None, tenants: str | None = None) -> Draft:
    """Draft a spec. The same catalog gives the same bytes.

    ``schemas`` are the schemas to convert: by default ``public``, or every schema with tables where ``public``
    has none. ``tenants`` names the tenants table, existing or to be made; by default it is looked for.
    Raises SpecError when a schema is not there, or the named table cannot list the tenants.
    """
    here = situation.read(catalog, schemas, tenants)
    text = write.text(here, decide.tables(here))
    return Draft(text, spec.parse(text).undecided, here.notes)
