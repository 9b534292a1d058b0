"""Known bugs of the server that matter here: one table for the preflight and for the checks.

Read in PostgreSQL's release notes of the versions named, and in the CVE records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

# What a database must have or do for a bug to matter: row level security, also on partitions or children, a
# cut-over, concurrent builds, tables that are published.
Concern = Literal["isolation", "parts", "cut-over", "builds", "publication"]


@dataclass(frozen=True, slots=True)
class Bug:
    """``fixed`` is the first minor version of each major one without it; others are not known to have had it.

    ``level`` is that of the check that reports it, with its ``cve``: an error for what any session can use, a warning
    for what needs more; empty where it breaks no isolation.
    """

    fixed: Mapping[int, int]
    concern: Concern
    text: str
    cve: str = ""
    level: Literal["error", "warning", ""] = ""


BUGS = (
    Bug(
        {15: 20, 16: 16, 17: 12, 18: 7},
        "isolation",
        "INSERT … ON CONFLICT DO UPDATE can read rows that row level security hides",
        "CVE-2026-120154",
        "warning",  # needs a key that is unique across tenants, and SQL of the attacker's own
    ),
    Bug(
        {15: 19, 16: 15, 17: 11, 18: 6},
        "cut-over",
        "a session keeps plans made before a role was granted or revoked, and with them the rows that it saw; "
        "`tenantry cutover` works around it, a GRANT by hand does not",
        "CVE-2026-14666",
        "warning",
    ),
    Bug(
        {15: 19, 16: 15, 17: 11, 18: 6},
        "isolation",
        "any user runs code in the server (cursors)",
        "CVE-2026-16239",
        "error",
    ),
    Bug(
        {15: 18, 16: 14, 17: 10, 18: 4},
        "isolation",
        "any user corrupts memory of the server",
        "CVE-2026-6473",
        "error",
    ),
    Bug(
        {15: 16, 16: 12, 17: 8, 18: 2},
        "isolation",
        "any user runs code in the server (pgcrypto)",
        "CVE-2026-2005",
        "error",
    ),
    Bug(
        {15: 14, 16: 10, 17: 6},
        "parts",
        "statistics of partitioned and inherited tables show values that row level security hides",
        "CVE-2025-8713",
        "error",
    ),
    Bug(
        {15: 9, 16: 5, 17: 1},
        "isolation",
        "a plan made as one role is reused as another for policies below a subquery or a view, when SET ROLE "
        "comes between",
        "CVE-2024-10976",
        "error",
    ),
    Bug(
        {15: 9, 16: 5, 17: 1},
        "builds",
        "an index that is built while the table's catalog row changes otherwise (a GRANT) may be forgotten and "
        "become corrupt",
    ),
    Bug(
        {15: 7, 16: 3},
        "isolation",
        "extended statistics show values of hidden rows",
        "CVE-2024-4317",
        "warning",  # needs such statistics
    ),
    Bug(
        {15: 6, 16: 2},
        "isolation",
        "REFRESH MATERIALIZED VIEW runs code of the view's owner",
        "CVE-2024-0985",
        "error",
    ),
    Bug(
        {15: 6},
        "publication",
        "logical replication sends NULL for a column added with a default to a table that it begins to copy later",
    ),
    Bug(
        {15: 4},
        "isolation",
        "MERGE applies the wrong policies of row level security",
        "CVE-2023-39418",
        "error",
    ),
    Bug(
        {15: 3},
        "isolation",
        "a plan with an inlined function is reused as another role under row level security",
        "CVE-2023-2455",
        "error",
    ),
    Bug(
        {15: 3},
        "isolation",
        "CREATE SCHEMA gets past a function's search_path",
        "CVE-2023-2454",
        "error",
    ),
)
