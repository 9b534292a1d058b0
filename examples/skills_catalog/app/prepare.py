"""What the application needs in a converted database before its first request, done by an administrator."""

import psycopg
from sqlalchemy import select
from sqlalchemy.orm import Session

from tenantry.runtime import tenant

from . import changes
from .database import make_engine
from .models import Skill


def make_administrator(admin: psycopg.Connection, of: str) -> tuple[str, str]:
    """Make the tenant's first user its administrator; returns two addresses: that one's and another member's."""
    rows = admin.execute(
        "SELECT id, email FROM users WHERE tenant_id = %s ORDER BY created_at, id LIMIT 2", [of]
    ).fetchall()
    admin.execute(
        "INSERT INTO accounts (user_id, type, provider, provider_account_id, scope)"
        " VALUES (%s, 'email', 'email', %s, 'admin') ON CONFLICT DO NOTHING",
        [rows[0][0], rows[0][0]],
    )
    return rows[0][1], rows[-1][1]


def embed_all(dsn: str, of: str) -> int:
    """Write the vector of each skill of a tenant, as the application itself; returns how many."""
    engine = make_engine(dsn)
    try:
        with tenant(of), Session(engine) as session:
            found = session.scalars(select(Skill)).all()
            for each in found:
                changes.write_embedding(session, each)
            session.commit()
            return len(found)
    finally:
        engine.dispose()
