"""Options that the audit verbs share, and what they make of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from psycopg import IsolationLevel
from psycopg.rows import TupleRow

from tenantry import names, spec
from tenantry.audit import anchors, keys, objectstore
from tenantry.audit.anchors import Anchor
from tenantry.audit.checkpoint import Checkpoint
from tenantry.audit.keys import PrivateKey, PublicKey
from tenantry.cli._options import DEFAULT_SPEC, connect
from tenantry.errors import SpecError
from tenantry.names import QName

KeyFile = Annotated[
    Path,
    typer.Option(
        "--key", envvar="TENANTRY_AUDIT_KEY", help="The private key, a file that only its owner reads."
    ),
]
PublicKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--public-key",
        envvar="TENANTRY_AUDIT_PUBLIC_KEY",
        help="A file of public keys to trust, got from elsewhere than the database; may be repeated.",
    ),
]
Anchors = Annotated[
    list[str] | None,
    typer.Option(
        "--anchor",
        envvar="TENANTRY_AUDIT_ANCHOR",
        help="Where checkpoints go: file:PATH, command:PROGRAM ARGUMENT … (the checkpoint on its standard input), or "
        "https://… (a PUT; {size} is replaced), or s3://BUCKET/PREFIX. May be repeated.",
    ),
]
TableName = Annotated[
    str | None,
    typer.Option(
        "--table", envvar="TENANTRY_AUDIT_TABLE", help="The trail; else the spec's, else audit_logs."
    ),
]
OptionalSpec = Annotated[
    Path | None, typer.Option("--spec", envvar="TENANTRY_SPEC", help="The spec, which names the trail.")
]
Tenant = Annotated[str | None, typer.Option(envvar="TENANTRY_AUDIT_TENANT", help="Of this tenant.")]
Since = Annotated[
    str | None,
    typer.Option(envvar="TENANTRY_AUDIT_SINCE", help="From this time on: ISO 8601, UTC without an offset."),
]
Until = Annotated[str | None, typer.Option(envvar="TENANTRY_AUDIT_UNTIL", help="Before this time.")]
DEFAULT_KEY = Path("audit.key")


def trail(table: str | None, spec_file: Path | None) -> QName:
    """The trail's name: the option's, the spec's, or ``audit_logs``. Raises SpecError."""
    if table is not None:
        try:
            return names.parse(table)
        except ValueError as error:
            raise SpecError(f"--table: {error}") from None
    there = spec_file or (DEFAULT_SPEC if DEFAULT_SPEC.exists() else None)
    found = spec.load(there).audit if there is not None else None
    return found.table if found is not None else QName("public", "audit_logs")


def time(text: str | None) -> datetime | None:
    """A time of an option. Raises SpecError."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SpecError(
            f"{text}: not a time; say for example 2026-03-01 or 2026-03-01T12:00:00+01:00"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def times(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """Two of them. Raises SpecError, also where nothing can be between them."""
    first, last = time(since), time(until)
    if first is not None and last is not None and last <= first:
        raise SpecError(
            f"--until {until}: is not after --since {since}, so nothing is between them; correct one"
        )
    return first, last


def private_key(path: Path) -> PrivateKey:
    """The key that signs."""
    return keys.load(path)


def public_keys(paths: Sequence[Path] | None) -> tuple[PublicKey, ...]:
    """The keys that are trusted."""
    return keys.read_public(paths or ())


def anchors_of(texts: Sequence[str] | None) -> list[Anchor]:
    """The anchors."""
    return [anchors.parse(text) for text in texts or ()]


def anchored(texts: Sequence[str] | None) -> list[Checkpoint]:
    """What anchors that are files hold. Raises SpecError for another kind, which cannot be read from here."""
    found: list[Checkpoint] = []
    for anchor in anchors_of(texts):
        match anchor:
            case anchors.File(path):
                found += anchors.read(path)
            case anchors.Bucket(bucket, prefix):
                found += objectstore.read(bucket, prefix)
            case _:
                raise SpecError(
                    f"{anchor}: cannot be read from here; fetch its checkpoints into a file, and name that"
                )
    return found


@contextlib.contextmanager
def reading(dsn: str) -> Iterator[psycopg.Connection[TupleRow]]:
    """A connection whose transactions see one moment."""
    with contextlib.closing(connect(dsn)) as conn:
        conn.execute("SET client_encoding = 'UTF8'")
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        yield conn


def counting(what: str) -> Callable[[int, int], None]:
    """Progress on stderr, for a terminal."""
    if not sys.stderr.isatty():
        return lambda done, total: None

    def show(done: int, total: int) -> None:
        print(
            f"\r{what}: {done} of {total or '?'} records of the log",
            end="\n" if done == total else "",
            file=sys.stderr,
            flush=True,
        )

    return show
