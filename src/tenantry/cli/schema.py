"""tenantry schema"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from tenantry import spec
from tenantry.report import formats


class Document(StrEnum):
    """What a schema is about."""

    spec = "spec"
    report = "report"


def schema(
    document: Annotated[
        Document, typer.Argument(help="spec: tenantry.toml · report: what prove and check write as JSON.")
    ] = Document.spec,
) -> int:
    """Print a JSON Schema: of tenantry.toml, for editors, or of reports, for programs that read them."""
    found = spec.json_schema() if document is Document.spec else formats.json_schema()
    print(json.dumps(found, indent=2))
    return 0
