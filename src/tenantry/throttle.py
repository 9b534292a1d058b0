"""A backfill gives way to standbys that fall behind."""

from __future__ import annotations

import time

import psycopg

from tenantry.progress import Throttled
from tenantry.session import Session, load

# A standby further behind than this stops the backfill until it has caught up.
LAG_BYTES = 16 * 1024 * 1024
PAUSE = 0.2
# Seconds after which a standby that does not catch up (a broken one, a paused one) no longer stops the backfill.
PATIENCE = 30.0


def throttle(session: Session, step: str) -> bool:
    """Wait, between two batches, while a standby is too far behind; False when it did not catch up in time."""
    waited = 0.0
    while (lag := _lag(session)) > LAG_BYTES:
        if waited >= PATIENCE:
            return False
        session.listen(Throttled(step, lag, waited))
        time.sleep(PAUSE)
        waited += PAUSE
    return True


def _lag(session: Session) -> int:
    """Bytes; 0 where there is no standby, or none that this role may look at."""
    try:
        row = session.conn.execute(load("replication_lag")).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return 0
    return int(row[0]) if row else 0
