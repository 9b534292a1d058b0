"""What a database has besides its tables: views, functions, sequences, roles, schemas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tenantry.catalog.table import Grant, granted
from tenantry.names import QName


@dataclass(frozen=True, slots=True)
class View:
    """A view or materialized view; ``reads`` are the relations and ``keys`` the constraints its rule depends on."""

    schema: str
    name: str
    materialized: bool
    owner: str
    security_invoker: bool
    reads: tuple[QName, ...]
    keys: tuple[tuple[QName, str], ...] = ()
    grants: tuple[Grant, ...] = ()
    column_grants: tuple[Grant, ...] = ()
    extension: str | None = None

    @property
    def qname(self) -> QName:
        return QName(self.schema, self.name)

    def privileges(self, role: str) -> frozenset[str]:
        return granted(self.grants, role)


@dataclass(frozen=True, slots=True)
class Function:
    """A user function or procedure; ``keys`` as for views (SQL-standard bodies only).

    ``callers`` are the roles that EXECUTE was granted to, the owner left out; an empty name is PUBLIC.
    """

    schema: str
    name: str
    arguments: str
    language: str
    kind: Literal["f", "p", "a", "w"]
    security_definer: bool
    source: str
    config: tuple[str, ...] = ()
    keys: tuple[tuple[QName, str], ...] = ()
    owner: str = ""
    callers: tuple[str, ...] = ()
    extension: str | None = None
    volatility: Literal["v", "s", "i"] = "v"

    @property
    def qname(self) -> QName:
        return QName(self.schema, self.name)

    def like(self, wanted: Function) -> bool:
        """True where it is called, does and lets call what the wanted one does; :func:`tenantry.verify.function` asks
        the server the same."""
        return self._ways() == wanted._ways()

    def _ways(self) -> tuple[object, ...]:
        # The server quotes a name of an argument or a type only where it has to; whoever else may call it is
        # nothing more where everybody may.
        called = (
            self.qname,
            self.arguments.replace('"', ""),
            {""} if "" in self.callers else set(self.callers),
        )
        does = (self.source, self.security_definer, sorted(self.config), self.volatility)
        return (*called, *does, self.owner)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence and the column that owns it."""

    schema: str
    name: str
    owner: str
    table: QName | None
    column: str | None
    identity: bool
    grants: tuple[Grant, ...] = ()

    @property
    def qname(self) -> QName:
        return QName(self.schema, self.name)

    def privileges(self, role: str) -> frozenset[str]:
        return granted(self.grants, role)


@dataclass(frozen=True, slots=True)
class Role:
    """A role; ``member_of`` are all roles reachable by SET ROLE, however far.

    ``inherit`` is whether a membership gives it the other role's rights when the grant does not say.
    """

    name: str
    superuser: bool
    bypass_rls: bool
    login: bool
    create_role: bool
    create_db: bool
    replication: bool
    member_of: tuple[str, ...] = ()
    inherit: bool = True


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema, its owner and what was granted on it."""

    name: str
    owner: str
    grants: tuple[Grant, ...] = ()

    def privileges(self, role: str) -> frozenset[str]:
        return granted(self.grants, role)


@dataclass(frozen=True, slots=True)
class Server:
    """Which server and database, and as whom it was read. ``version`` is server_version_num (180006)."""

    version: int
    database: str
    user: str
