"""Writing the audit trail: what was done goes in with the work itself, what was refused in a transaction of its own.

Who acts, for which tenant and in which request comes from the scope. Resources are called as the tables are, so that
what an event says and what triggers recorded of the same row are found together.
"""

import re
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.requests import Request

from tenantry import audit

# The table of the id in a path, by the first word of the action.
_TABLES = {"skill": "skills", "key": "api_keys", "member": "users"}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Who may not, and who does not get to see: to the database, a row of another tenant is one that is not there.
_DENIED = (401, 403, 404)


def record(
    session: Session, action: str, resource: tuple[str, object] | None = None, *, outcome: str = "success",
    about: tuple[str, dict[str, Any]] | None = None, **details: Any,
) -> None:  # fmt: skip
    """Add an event to the session's transaction, so that it is there exactly if the work is.

    `resource` is a table and an id. `about` is a person's id and personal data that may have to be erased one day.
    """
    session.flush()
    subject, personal = about or (None, None)
    audit.record(
        session, action, resource=resource, outcome=outcome, metadata=details or None, subject=subject,
        personal=personal,
    )  # fmt: skip


def record_refused(engine: Engine, action: str, **details: Any) -> None:
    """Write an event for something that was not done. Its transaction is rolled back, so this takes one of its own."""
    with Session(engine) as session:
        record(session, action, **details)
        session.commit()


def record_refusal(engine: Engine, request: Request, status: int) -> None:
    """Write what a refused request tried. The routes that are worth an action of their own are named after it."""
    action = getattr(request.scope.get("route"), "name", "")
    if "." not in action:
        action = "request.refuse"
    table, id = _TABLES.get(action.partition(".")[0]), str(request.path_params.get("id", ""))
    path: bytes = request.scope.get("raw_path", b"")
    record_refused(
        engine, action, resource=(table, id) if table and _ID.fullmatch(id) else None,
        outcome="denied" if status in _DENIED else "failure", method=request.method,
        path=path[:500].decode("ascii", "replace"), status=status,
    )  # fmt: skip
