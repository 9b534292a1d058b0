"""tenantry audit query"""

from __future__ import annotations

import csv
import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from tenantry.audit import query as asking
from tenantry.audit.query import Filter, Page
from tenantry.cli._options import Dsn
from tenantry.cli.audit._options import OptionalSpec, Since, TableName, Tenant, Until, reading, times, trail


class PageFormat(StrEnum):
    """How a page is written."""

    text = "text"
    json = "json"
    csv = "csv"


def query(
    dsn: Dsn = "",
    tenant: Tenant = None,
    actor: Annotated[str | None, typer.Option(envvar="TENANTRY_AUDIT_ACTOR", help="By this actor.")] = None,
    action: Annotated[
        str | None,
        typer.Option(envvar="TENANTRY_AUDIT_ACTION", help="This action; auth.* for all that begin so."),
    ] = None,
    resource: Annotated[
        str | None, typer.Option(envvar="TENANTRY_AUDIT_RESOURCE", help="On this resource: TYPE or TYPE:ID.")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(envvar="TENANTRY_AUDIT_OUTCOME", help="success, failure or denied.")
    ] = None,
    since: Since = None,
    until: Until = None,
    most: Annotated[
        int, typer.Option(envvar="TENANTRY_AUDIT_MOST", min=1, max=10_000, help="Events on a page.")
    ] = 50,
    after: Annotated[
        str | None,
        typer.Option(envvar="TENANTRY_AUDIT_AFTER", help="The next page: what the page before ended with."),
    ] = None,
    format_: Annotated[
        PageFormat, typer.Option("--format", envvar="TENANTRY_FORMAT", help="How the page is written.")
    ] = PageFormat.text,
    table: TableName = None,
    spec_file: OptionalSpec = None,
) -> int:
    """Look events up, newest first. The look-up is recorded as an event, audit.read."""
    kind, _, key = (resource or "").partition(":")
    wanted = Filter(tenant, actor, action, kind or None, key or None, outcome, *times(since, until))
    with reading(dsn) as conn:
        page = asking.query(conn, trail(table, spec_file), wanted, most, after)
    _print(page, format_)
    if not page.recorded:
        print("tenantry: this role may not write events, so this look-up is not recorded", file=sys.stderr)
    return 0


def _print(page: Page, form: PageFormat) -> None:
    match form:
        case PageFormat.json:
            events = [dict(zip(page.columns, row, strict=True)) for row in page.rows]
            print(
                json.dumps(
                    {"version": 1, "events": events, "after": page.after}, indent=1, ensure_ascii=False
                )
            )
        case PageFormat.csv:
            # Every cell in quotes: with another end of line the writer would not quote a carriage return.
            writer = csv.writer(sys.stdout, lineterminator="\n", quoting=csv.QUOTE_ALL)
            writer.writerows(asking.cells(page))
            if page.after:
                print(f"next page: --after {page.after}", file=sys.stderr)
        case PageFormat.text:
            for line in asking.text(page):
                print(line)
            print(f"next page: --after {page.after}" if page.after else "no more events")
