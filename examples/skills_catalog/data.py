"""Schema and data of the skills catalog: the statements of `baseline/`, and rows written by COPY.

The same seed, scale and tenant give the same bytes.

    python examples/skills_catalog/data.py --dsn postgresql:///catalog
"""

import argparse
import json
import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import psycopg
from catalog_rows import DIMENSIONS, TABLES, Catalog, Row
from psycopg import sql

BASELINE: Final = Path(__file__).parent / "baseline"
LOGIN_TABLES: Final = frozenset({"accounts", "sessions", "verification_tokens"})


def baseline_statements(vector: bool = True) -> list[str]:
    """The statements of the baseline migrations, in journal order, one per item.

    With `vector=False` they run on a server without pgvector: embeddings become `real[]`, and the extension
    and its HNSW index are left out.
    """
    journal = json.loads((BASELINE / "meta" / "_journal.json").read_text(encoding="utf-8"))
    files = [(BASELINE / f"{entry['tag']}.sql").read_text(encoding="utf-8") for entry in journal["entries"]]
    statements = [part.strip() for text in files for part in text.split("--> statement-breakpoint")]
    if vector:
        return statements
    return [
        statement.replace(f"vector({DIMENSIONS})", "real[]")
        for statement in statements
        if not statement.startswith("CREATE EXTENSION") and "USING hnsw" not in statement
    ]


def load_baseline(conn: psycopg.Connection[Any], *, vector: bool = True) -> None:
    """Create the twelve empty tables in one transaction; `vector` as in `baseline_statements`."""
    with conn.transaction():
        for statement in baseline_statements(vector):
            conn.execute(statement.encode())


def generate(
    conn: psycopg.Connection[Any], *, scale: float = 1.0, seed: int = 1, tenant: str | None = None
) -> dict[str, int]:
    """Fill the twelve tables in one transaction; return the rows written to each.

    Scale 1 is about 50 000 rows. Without `tenant` the tables are those of the single-tenant database, empty.
    With it they are those of the converted one: the rows of the nine tenant tables carry that `tenant_id`
    (the tenant must exist and have no rows yet), their ids, e-mail addresses and key hashes are new, and
    their slugs are those of every other tenant on purpose. COPY is refused under row level security, so the
    role must be exempt from it.

    Raises ValueError when `scale` is not a positive finite number; errors of the database pass through.
    """
    if not 0 < scale < math.inf:
        raise ValueError(f"scale is {scale}: give a positive number, 1 for about 50 000 rows")
    with conn.transaction():
        catalog = Catalog.make(scale, seed, tenant or "", _brackets(conn))
        return {table: _copy(conn, table, rows(catalog), tenant) for table, (_, rows) in TABLES.items()}


def _brackets(conn: psycopg.Connection[Any]) -> tuple[str, str]:
    """What encloses an embedding written as text: it is an array where pgvector is missing."""
    found = conn.execute(
        "SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = 'skill_embeddings'::regclass"
        " AND attname = 'embedding' AND atttypid = 'real[]'::regtype"
    )
    return ("{", "}") if found.fetchone() else ("[", "]")


def _copy(conn: psycopg.Connection[Any], table: str, rows: Iterator[Row], tenant: str | None) -> int:
    scope: Row = {} if tenant is None or table in LOGIN_TABLES else {"tenant_id": tenant}
    first = next(rows) | scope
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, first))
    )
    with conn.cursor() as cursor:
        with cursor.copy(into) as copy:
            for row in chain((first,), rows):
                copy.write_row(tuple((row | scope).values()))
        return cursor.rowcount


def main() -> None:
    """Load the data and print the rows of each table."""
    parser = argparse.ArgumentParser(description="Fill the tables of the skills catalog.")
    parser.add_argument("--dsn", default="", help="connection string; libpq's environment when left out")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is about 50 000 rows (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="same seed, same rows (default: 1)")
    parser.add_argument(
        "--tenant", metavar="ID", help="write the rows of this tenant into the converted database"
    )
    options = parser.parse_args()
    with psycopg.connect(options.dsn) as conn:
        rows = generate(conn, scale=options.scale, seed=options.seed, tenant=options.tenant)
    for table, count in rows.items():
        print(f"{table:20}{count:>9}")


if __name__ == "__main__":
    main()
