"""Declarative models of SQLAlchemy 2 that say the tenant themselves, so that the planner knows it.

Importing this module makes every Session add ``tenant_id = :tenant`` to its selects, updates and deletes of
:class:`Owned` classes. Row level security stays what decides: a class without the mixin shows no other rows, it is
only planned without the tenant's statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    FetchedValue,
    ForeignKeyConstraint,
    Insert,
    Table,
    Text,
    UniqueConstraint,
    Update,
    and_,
    bindparam,
    event,
    inspect,
)
from sqlalchemy import column as sql_column
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, ORMExecuteState, declared_attr, foreign, mapped_column, relationship
from sqlalchemy.orm import Session as _Session
from sqlalchemy.orm import with_loader_criteria as _with_criteria
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.types import TypeEngine

from tenantry.errors import MixedTenants, NoTenant, TenantError
from tenantry.runtime import scope
from tenantry.runtime.binding import who
from tenantry.runtime.sqlalchemy import TENANT, bound, one_tenant

_MARK = "tenantry"  # in the info of a column: it is the tenant column
_PARAMETER = "tenantry_tenant"


class _NoTenant(NoTenant, DontWrapMixin):
    """NoTenant while SQLAlchemy makes a statement, which would give it out as an error of the statement."""


class _Misfit(TenantError, DontWrapMixin):
    """A tenant that is no value of the column's type."""


@dataclass(frozen=True, slots=True)
class TenantColumn:
    """The tenant column of a class: its name and type in the database, and where a new row's tenant comes from.

    ``default``: "scope" sends the tenant of the scope; "server" leaves it to the column's default, which the
    conversion has made. ``primary_key``: the tenant is a part of the primary key.
    """

    name: str = "tenant_id"
    type: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    default: Literal["scope", "server"] = "scope"
    primary_key: bool = False

    def make(self) -> Any:
        """The column, to be mapped."""
        convert = _converter(self.type)
        default: dict[str, Any] = {"server_default": FetchedValue()}
        if self.default == "scope":
            default = {"default": lambda: convert(_tenant())}
        options = {
            "nullable": False,
            "info": {_MARK: True},
            "primary_key": self.primary_key,
            "sort_order": -1,
            **default,
        }
        return mapped_column(self.name, self.type, **options)


class Owned:
    """A row of a tenant: a mixin for declarative classes.

    The attribute is called ``tenant_id`` whatever the column is; ``__tenant__`` says what it is. A new row gets the
    tenant of the scope, and one that is given another tenant raises MixedTenants before it is sent.
    """

    __tenant__: ClassVar[TenantColumn] = TenantColumn()

    @declared_attr
    def tenant_id(cls) -> Mapped[Any]:
        made: Mapped[Any] = cls.__tenant__.make()
        return made

    @hybrid_property
    def is_own(self) -> bool:
        """Whether the row is the tenant's of the scope; in a query, the condition."""
        found = scope.current_or_none()
        return found is not None and found.tenant is not None and str(self.tenant_id) == found.tenant

    @is_own.inplace.expression
    @classmethod
    def _is_own(cls) -> ColumnElement[bool]:
        # SQLAlchemy tries the condition on the mixin itself too.
        column: Any = cls.tenant_id if inspect(cls, raiseerr=False) is not None else sql_column("tenant_id")
        return column == _parameter(column.type, needed=True)  # type: ignore[no-any-return]


def own(*columns: Any) -> ColumnElement[bool]:
    """The condition that these tenant columns hold the tenant of the scope in which the statement is executed.

    For Core, whose tables get no condition by themselves: ``select(notes).where(own(notes.c.tenant_id))``. Nothing is
    the tenant's where there is none.
    """
    return and_(*(column == _parameter(column.type) for column in columns))


def _parameter(type_: TypeEngine[Any], *, needed: bool = False) -> BindParameter[Any]:
    """The tenant of the scope in which a statement is executed; ``needed``: it raises NoTenant outside of any."""
    convert = _converter(type_)

    def value() -> Any:
        found = scope.current_or_none()
        if needed and found is None:
            raise _NoTenant(
                "no tenant scope: a query of a tenant's rows is not sent; put it under `with tenant(id):`, or give it "
                'execution_options={"tenantry": "all"} if it is about every tenant'
            )
        return convert(found.tenant) if found is not None and found.tenant is not None else None

    return bindparam(_PARAMETER, callable_=value, type_=type_)


def _tenant() -> str:
    found = scope.current_or_none()
    if found is None or found.tenant is None:
        raise _NoTenant(
            "a row of a tenant is made where there is none; put the work under `with tenant(id):`"
        )
    return found.tenant


def _converter(type_: TypeEngine[Any] | type[TypeEngine[Any]]) -> Callable[[str], Any]:
    """A tenant's id as a column of the type takes it."""
    made = type_() if isinstance(type_, type) else type_
    try:
        kind: Any = made.python_type
    except NotImplementedError:
        return str
    if kind not in (int, UUID):
        return str

    def convert(value: str) -> Any:
        try:
            return kind(value)
        except ValueError:
            raise _Misfit(
                f"tenant {value!r} is no {kind.__name__.lower()}, which the tenant column holds"
            ) from None

    return convert


# Keys and references


_quoted = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]  # where a name needs it


def key(*columns: str, tenant: str = "tenant_id") -> UniqueConstraint:
    """The key over tenant and ``columns`` (``id`` if none is given), at which :func:`reference` points."""
    return UniqueConstraint(tenant, *(columns or ("id",)))


def reference(
    table: str,
    columns: str | Sequence[str],
    referenced: str | Sequence[str] = "id",
    *,
    tenant: str = "tenant_id",
    tenant_there: str = "tenant_id",
    **options: Any,
) -> ForeignKeyConstraint:
    """The foreign key of ``columns`` to another tenant table, tenant included: no row refers to another tenant's.

    ``ondelete="SET NULL"`` would clear the tenant too, so it names the columns to clear (PostgreSQL 15).
    """
    here, there = _names(columns), _names(referenced)
    if str(options.get("ondelete", "")).upper() in ("SET NULL", "SET DEFAULT"):
        options["ondelete"] += f" ({', '.join(map(_quoted, here))})"
    return ForeignKeyConstraint(
        [tenant, *here], [f"{table}.{column}" for column in (tenant_there, *there)], **options
    )


def related(target: str | type, *columns: str, **options: Any) -> Any:
    """A relationship over a :func:`reference` of ``columns``, on this class or the other one; both sides' tenant is joined.

    Of the key's columns only ``columns`` are written by it, so that several references of a class can share its tenant.
    Raises TenantError, when the mappers are configured, unless exactly one foreign key fits.
    """
    made: Any = None

    def join() -> ColumnElement[bool]:
        return _join(made.parent.local_table, _table(made.parent.registry, target), columns)

    made = relationship(target, primaryjoin=join, **options)
    return made


def _table(registry: Any, target: str | type) -> Any:
    """The table of a class, or of its name in a registry."""
    named = [m for m in registry.mappers if target in (m.class_, m.class_.__name__)]
    if len(named) != 1:
        raise TenantError(f"related({target!r}): {len(named)} classes are called so; give the class itself")
    return named[0].local_table


def _join(here: Any, there: Any, columns: Sequence[str]) -> ColumnElement[bool]:
    fitting = [
        key
        for table, other in dict.fromkeys([(here, there), (there, here)])
        for key in table.foreign_key_constraints
        if key.referred_table is other and set(columns) <= set(key.column_keys)
    ]
    if len(fitting) != 1 or here is there:
        raise TenantError(
            f"related({', '.join(map(repr, columns))}) between {here.name} and {there.name}: "
            f"{len(fitting)} foreign keys fit, and within one table none does; write relationship(…) with its primaryjoin"
        )
    (chosen,) = fitting
    return and_(
        *(
            (foreign(part.parent) if part.parent.key in columns else part.parent) == part.column
            for part in chosen.elements
        )
    )


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


# What a Session adds and refuses

_CRITERIA = _with_criteria(
    Owned, lambda cls: cls.is_own, include_aliases=True, propagate_to_loaders=False, track_closure_variables=False
)  # fmt: skip


def _condition(state: ORMExecuteState) -> None:
    """Add the condition, at each execution anew: a lazy load may come in another scope than its object did."""
    if not state.is_orm_statement or not (state.is_select or state.is_update or state.is_delete):
        return
    if state.execution_options.get("tenantry") == "all":
        return
    if scope.current_or_none() is None and bound(state.session.get_bind(**state.bind_arguments)):
        return  # the connection raises, or has been told to show nothing
    state.statement = state.statement.options(_CRITERIA)


def _refuse_foreign(
    connection: Connection, statement: Any, many: Sequence[Mapping[str, Any]], one: Mapping[str, Any], options: Any
) -> None:  # fmt: skip
    """Raise MixedTenants for a row that is given another tenant; the database would refuse it with less words."""
    if not isinstance(statement, Insert | Update) or not isinstance(statement.table, Table):
        return
    column = next((c for c in statement.table.columns if _MARK in c.info), None)
    if column is None:
        return
    found = scope.current_or_none()
    mine = found.tenant if found is not None else None
    for given in _given(statement, column, [one, *many]):
        if mine is not None and given is not None and str(given) != mine:
            raise MixedTenants(
                f"a row of {statement.table.name} is given {who(str(given))} and the running code belongs to {who(mine)}: "
                f"it was not sent; leave {column.name} out, or write the row in its tenant's scope"
            )


def _given(statement: Insert | Update, column: Any, parameters: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    """The values that a statement and its parameters give to a column; expressions are the database's to judge."""
    single: Any = getattr(statement, "_values", None) or {}
    rows = [single, *(row for rows in getattr(statement, "_multi_values", ()) for row in rows)]
    for value in (row[name] for row in (*rows, *parameters) for name in (column, column.key) if name in row):
        if not isinstance(value, BindParameter):
            values = [value]
        else:
            values = [row[value.key] for row in parameters if value.key in row] or [value.effective_value]
        yield from (v for v in values if v is not None and not isinstance(v, ColumnElement))


def _added(session: _Session, instance: object) -> None:
    """A new row is the tenant's in whose scope it was added, not the one's in whose scope it is flushed."""
    found = scope.current_or_none()
    if isinstance(instance, Owned) and found is not None:
        one_tenant(session, found.tenant or "", but=instance)


event.listen(_Session, "do_orm_execute", _condition)
event.listen(_Session, "transient_to_pending", _added)
event.listen(Engine, "before_execute", _refuse_foreign)


class Session(_Session):
    """A Session that gives no object out in the scope of another tenant than it was loaded for.

    Any Session refuses to query, to flush or to begin there; one that still has an object gives it to ``get`` and
    ``merge`` without asking the database, and this one does not. ``AsyncSession(engine, sync_session_class=Session)``.
    """

    def merge(self, *args: Any, **options: Any) -> Any:
        self._same_tenant()
        return super().merge(*args, **options)

    def _identity_lookup(self, *args: Any, **options: Any) -> Any:
        self._same_tenant()
        return super()._identity_lookup(*args, **options)

    def _same_tenant(self) -> None:
        if TENANT in self.info:
            found = scope.current_or_none()
            one_tenant(self, (found.tenant or "") if found else "")


if not hasattr(_Session, "_identity_lookup"):  # SQLAlchemy's own name for where objects are given out again
    raise ImportError("this SQLAlchemy is not one that tenantry.runtime.orm knows; use 2.0 or 2.1")
