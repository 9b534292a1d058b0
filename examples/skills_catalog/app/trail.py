"""Writing the audit trail: what was done goes in with the work itself, what was refused in a transaction of its own."""

from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tenantry.runtime import current

from .models import Event


def record(
    session: Session,
    actor: str | None,
    action: str,
    resource: tuple[str, object] | None = None,
    **details: Any,
) -> None:
    """Add an event to the session's transaction, so that it is there exactly if the work is.

    `resource` is a kind and an id. Where the request came from is taken from the scope.
    """
    scope = current()
    session.add(
        Event(
            actor_id=actor,
            action=action,
            resource_type=resource[0] if resource else None,
            resource_id=str(resource[1]) if resource else None,
            ip_address=scope.fields.get("ip_address"),
            details={"request_id": scope.request_id, **details},
        )
    )


def record_refused(engine: Engine, actor: str | None, action: str, **details: Any) -> None:
    """Write an event for something that was not done. Its transaction is rolled back, so this takes one of its own."""
    with Session(engine) as session:
        record(session, actor, action, **details)
        session.commit()
