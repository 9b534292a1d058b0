"""Every exception that Tenantry raises.

    TenantryError
    ├── SpecError       malformed or contradictory spec
    ├── CatalogError    the database holds something unsupported, or cannot be read
    ├── PlanError       spec and catalog cannot be reconciled
    ├── ApplyError      a step failed; what is done stays done
    │   ├── LockTimeout gave up after n tries
    │   └── Drift       the catalog is not the one the plan was made for
    ├── TamperError     the trail is broken at a record
    ├── EventError      an event that the trail does not take
    └── TenantError     runtime
        ├── NoTenant      work outside a tenant scope
        ├── MixedTenants  one tenant's work in the scope or transaction of another
        ├── UnknownTenant
        ├── WorkRefused   work beyond one tenant that is not recorded, or is over
        └── ExemptRole    the connection's role is not bound by row level security

A message says object, reason and next action. Findings and breaches are data, never exceptions.
"""

from __future__ import annotations

from collections.abc import Sequence


def unreadable(error: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read, in words for a message that names the file itself."""
    if isinstance(error, UnicodeDecodeError):
        return f"not {error.encoding.upper()}: {error.reason} at byte {error.start}"
    return error.strerror or str(error)


class TenantryError(Exception):
    """Base of everything that Tenantry raises on purpose."""


class SpecError(TenantryError):
    """The spec is malformed or contradicts itself; the message names file and key."""


class CatalogError(TenantryError):
    """The database holds something unsupported, or cannot be read."""


class PlanError(TenantryError):
    """Spec and catalog cannot be reconciled: every problem found, at once.

    ``problems`` holds one sentence each: object, reason, next action. ``pending`` is True when all of them are
    tables that the spec does not speak of yet: work to do rather than a mistake.
    """

    def __init__(self, problems: Sequence[str], *, pending: bool = False) -> None:
        self.problems = tuple(problems)
        self.pending = pending
        count = len(self.problems)
        head = f"{count} thing{'s' if count != 1 else ''} must be decided or changed first:"
        super().__init__("\n".join([head, *(f"  - {p}" for p in self.problems)]))


class ApplyError(TenantryError):
    """A step failed; the steps before it stay done.

    ``step`` is its id, ``statement`` the SQL that failed (``None`` for a failed verification) and
    ``sqlstate`` the server's five-character code, if there was one.
    """

    def __init__(
        self, message: str, *, step: str = "", statement: str | None = None, sqlstate: str | None = None
    ) -> None:
        self.step = step
        self.statement = statement
        self.sqlstate = sqlstate
        super().__init__(message)


class LockTimeout(ApplyError):
    """A lock could not be had in the tries allowed; nothing of the step was done."""


class Drift(ApplyError):
    """The catalog is not the one that the plan was made for; nothing was done."""


class TamperError(TenantryError):
    """The audit trail is broken at a record."""


class EventError(TenantryError):
    """An event that the trail does not take; the message says which, why, and what to give."""


class TenantError(TenantryError):
    """Base of the errors that an application meets at run time."""


class NoTenant(TenantError):
    """Work was attempted outside a tenant scope."""


class MixedTenants(TenantError):
    """One tenant's work met the scope, the transaction or the cursor of another; it was not done."""


class UnknownTenant(TenantError):
    """The tenant does not exist."""


class WorkRefused(TenantError):
    """Work beyond one tenant could not be recorded, so that it was not done, or its time is over."""


class ExemptRole(TenantError):
    """The connection's role is not bound by row level security: every reason found, with the SQL that mends it.

    ``reasons`` holds pairs of a sentence and a statement; the statement is empty where none mends it.
    """

    def __init__(self, role: str, reasons: Sequence[tuple[str, str]]) -> None:
        self.role = role
        self.reasons = tuple(reasons)
        lines = [f"  - {why}" + (f"\n    {mend};" if mend else "") for why, mend in self.reasons]
        super().__init__("\n".join([f"role {role} is not bound by row level security:", *lines]))
