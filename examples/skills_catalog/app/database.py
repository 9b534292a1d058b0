"""Connections: the application's role, scoped to the tenant of each request."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, create_engine

from tenantry.runtime.orm import Session
from tenantry.runtime.sqlalchemy import scoped


def make_engine(dsn: str) -> Engine:
    """An engine that refuses work outside of a scope, and a role that row level security does not bind."""
    parts = conninfo_to_dict(dsn)
    return scoped(create_engine("postgresql+psycopg://", connect_args=parts, pool_size=5, max_overflow=5))


def _session(request: Request) -> Iterator[Session]:
    """One session for a request; what it does not commit is undone."""
    with Session(request.app.state.engine, expire_on_commit=False) as session:
        yield session


Db = Annotated[Session, Depends(_session)]
