"""What brings a role's rights on one relation to what they are to be, and back again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tenantry import ddl, verify
from tenantry.catalog import Grant, Schema, Table, View
from tenantry.catalog import Sequence as CatalogSequence
from tenantry.names import QName, columns, display, qualified, quote
from tenantry.plan import Change, Phase


@dataclass(frozen=True, slots=True)
class Rights:
    """Statements that change rights; ``verify`` is one condition."""

    why: str
    apply: tuple[str, ...]
    verify: str
    revert: tuple[str, ...]


def rights(
    app: str, name: QName, known: Table | View | None, may: Sequence[str], never: Sequence[str], *, owner: bool = True,
    everybody: bool = True,
) -> Rights | None:  # fmt: skip
    """Grant ``app`` what is missing, revoke what is too much from it and from PUBLIC; None if all is well.

    ``known`` is None for a relation that the plan makes. ``owner``: the application may still own it, and then
    holds every right without a grant. ``everybody`` is False where what PUBLIC holds is left alone.
    """
    if not everybody and known is not None:
        never = [word for word in never if word not in known.privileges("")]
    kind, where = "TABLE", qualified(name)
    apply, undo = [], []
    for role in (app, "") if everybody else (app,):
        held, parts = (
            (known.privileges(role), _parts(known, role, never)) if known is not None else (frozenset(), [])
        )
        spare = [p for p in never if p in held]
        words = [p for p in never if p in held or any(p in g.privileges for g in parts)]
        if words:
            apply.append(ddl.revoke(kind, where, words, role))
            undo += [ddl.grant(kind, where, spare, role)] if spare else []
            undo += [_on_column(where, g, never) for g in parts]
    missing = _missing(app, known, may, owner=owner)
    if missing:
        apply.append(ddl.grant(kind, where, missing, app))
        # A revoke takes along what was granted on single columns.
        lost = _parts(known, app, missing) if known is not None else []
        undo += [ddl.revoke(kind, where, missing, app), *(_on_column(where, g, missing) for g in lost)]
    if not apply:
        return None
    why = f"{app} may {', '.join(w.lower() for w in may) or 'reach it through its parent only'}."
    why += f" Never {', '.join(w.lower() for w in never)}." if never else ""
    return Rights(why, tuple(apply), verify.privileges("table", name, app, may, never), tuple(undo))


def sequence_rights(app: str, sequence: CatalogSequence, *, owner: bool = True) -> Rights | None:
    """Grant the use of a sequence, as :func:`rights` does."""
    missing, where = _missing(app, sequence, ("USAGE",), owner=owner), qualified(sequence.qname)
    if not missing:
        return None
    return Rights(
        f"{app} may take numbers from it.",
        (ddl.grant("SEQUENCE", where, missing, app),),
        verify.privileges("sequence", sequence.qname, app, missing),
        (ddl.revoke("SEQUENCE", where, missing, app),),
    )


def column_rights(role: str, name: QName, known: Table | None, names: Sequence[str]) -> Rights | None:
    """Let ``role`` read these columns of a table and have no other right on it; None if that is so."""
    where, select = qualified(name), [f"SELECT ({columns(names)})"]
    whole = known.privileges(role) if known is not None else frozenset()
    parts = [g for g in known.column_grants if g.role == role] if known is not None else []
    there = {(p, g.column) for g in parts for p in g.privileges}
    wanted = {("SELECT", column) for column in names}
    if not whole and there == wanted:
        return None
    if whole or there - wanted:
        apply = [ddl.revoke("TABLE", where, ["ALL"], role), ddl.grant("TABLE", where, select, role)]
        undo = [ddl.revoke("TABLE", where, ["ALL"], role)]
        undo += [ddl.grant("TABLE", where, sorted(whole), role)] if whole else []
        undo += [_on_column(where, g, g.privileges) for g in parts]
    else:
        missing = [f"SELECT ({columns([n for n in names if ('SELECT', n) not in there])})"]
        apply, undo = [ddl.grant("TABLE", where, missing, role)], [ddl.revoke("TABLE", where, missing, role)]
    why = f"{role} reads {', '.join(names)} of {display(name)}, and no other column."
    return Rights(why, tuple(apply), verify.only_columns(name, role, names), tuple(undo))


def readable_columns(table: Table, role: str) -> set[str]:
    """The columns of a table that a role may read, by its own rights."""
    if "SELECT" in table.privileges(role):
        return {column.name for column in table.columns}
    return {g.column for g in table.column_grants if g.role == role and "SELECT" in g.privileges and g.column}


def reading(
    name: QName, known: Table | None, role: str, names: Sequence[str], phase: Phase, purpose: str, why: str
) -> Iterator[Change]:
    """Let a role that nobody logs in as read some columns, and no other."""
    held = readable_columns(known, role) if known is not None else set()
    missing = [n for n in names if n not in held]
    if missing:
        select = [f"SELECT ({columns(missing)})"]
        yield Change(
            id=f"{phase}.{display(name)}.{purpose}.columns",
            phase=phase,
            object=display(name),
            why=why,
            apply=(ddl.grant("TABLE", qualified(name), select, role),),
            verify=verify.query(verify.column_privileges(name, role, "SELECT", names, ())),
            revert=(ddl.revoke("TABLE", qualified(name), select, role),),
        )


def usage(schema: Schema, role: str, phase: Phase, why: str) -> Iterator[Change]:
    """Let a role find what is in a schema."""
    if "USAGE" not in schema.privileges("") | schema.privileges(role) and schema.owner != role:
        yield Change(
            id=f"{phase}.schema.{schema.name}.{role}", phase=phase, object=schema.name, why=why,
            apply=(ddl.grant("SCHEMA", quote(schema.name), ["USAGE"], role),),
            verify=verify.query(verify.schema_usage(schema.name, role)),
            revert=(ddl.revoke("SCHEMA", quote(schema.name), ["USAGE"], role),),
        )  # fmt: skip


def _missing(
    app: str, known: Table | View | CatalogSequence | None, may: Sequence[str], *, owner: bool
) -> list[str]:
    if known is None:
        return list(may)
    if owner and known.owner == app:
        return []
    return [p for p in may if p not in known.privileges(app) | known.privileges("")]


def _parts(known: Table | View, role: str, words: Sequence[str]) -> list[Grant]:
    """What a role was granted of these privileges on single columns."""
    return [g for g in known.column_grants if g.role == role and set(g.privileges) & set(words)]


def _on_column(where: str, grant: Grant, words: Sequence[str]) -> str:
    column = quote(grant.column)
    return ddl.grant("TABLE", where, [f"{p} ({column})" for p in grant.privileges if p in words], grant.role)
