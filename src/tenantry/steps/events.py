"""The extended trail: what an event needs beside the nine columns, and a role of its own that owns it all.

Everything stands beside what a plain trail has, so that whoever reads and writes the nine columns goes on. What
cannot be forged is what the application may not write: id, time, order, transaction and database user.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tenantry import ddl, verify
from tenantry.catalog import Index, Key, Policy, Table
from tenantry.conversion import Conversion
from tenantry.names import QName, display, fit, free, literal, qualified, quote
from tenantry.plan import Change, Lock, Phase
from tenantry.spec import Audit
from tenantry.steps import audit

WRITE_POLICY = "audit_write"
READ_POLICY = "audit_read"
OWN_POLICY = "audit_own"
# The settings of a transaction that say who acts; the tenant has its own.
ACTOR, ADDRESS = "app.actor_id", "app.ip_address"
# The columns beside the nine: name, type, and what they are filled with.
ADDED = (
    ("seq", "bigint", "GENERATED ALWAYS AS IDENTITY"),
    ("xid", "xid8", "DEFAULT pg_catalog.pg_current_xact_id()"),
    ("outcome", "text", "NOT NULL DEFAULT 'success'"),
    ("actor_type", "text", ""),
    ("impersonator_id", "text", ""),
    ("targets", "jsonb", ""),
    ("request_id", "text", "DEFAULT nullif(current_setting('app.request_id', true), '')"),
    ("session_id", "text", "DEFAULT nullif(current_setting('app.session_id', true), '')"),
    ("user_agent", "text", "DEFAULT nullif(current_setting('app.user_agent', true), '')"),
    ("context", "jsonb", ""),
    ("version", "smallint", "NOT NULL DEFAULT 1"),
    ("database_user", "text", "NOT NULL DEFAULT session_user"),
)
# What the application never writes itself.
FORBIDDEN = ("id", "created_at", "seq", "xid", "database_user")
OUTCOMES = ("success", "failure", "denied")
PERSONAL = "personal"


@dataclass(frozen=True, slots=True)
class Trail:
    """An extended trail: what the spec says of it, and the table where it is there already."""

    c: Conversion
    spec: Audit
    known: Table | None

    @property
    def name(self) -> QName:
        return self.spec.table

    def at(self, name: str) -> QName:
        """A name in the schema of the trail's functions."""
        return QName(self.spec.functions, name)

    def type(self, column: str) -> str:
        """The type of a column of the trail, as it is or as the plan makes it."""
        found = self.known.column(column) if self.known is not None else None
        made = {
            "id": "uuid", "tenant_id": self.c.type, "metadata": "jsonb", "created_at": "timestamp with time zone",
        }  # fmt: skip
        return found.type if found is not None else made.get(column, "text")


def trail(c: Conversion) -> Trail | None:
    """The extended trail that the spec asks for; None for a plain one, or none."""
    wanted = c.spec.audit
    if wanted is None or not wanted.extended:
        return None
    return Trail(c, wanted, c.catalog.by_name.get(wanted.table))


# Roles and columns


def roles(c: Conversion) -> Iterator[Change]:
    """The owner of the trail and the auditors' role; neither can log in."""
    t = trail(c)
    if t is None:
        return
    for name, why in (
        (t.spec.owner, "Owns the trail and its functions, and nobody is it."),
        (t.spec.reader, "Whoever is a member reads the events of every tenant."),
    ):
        if name not in c.catalog.roles_by_name:
            yield Change(
                id=f"harden.role.{name}", phase=Phase.HARDEN, object=name, why=why,
                apply=(ddl.create_role(name, login=False),), verify=verify.query(verify.role(name)),
                revert=(ddl.drop_role(name),),
            )  # fmt: skip


def steps(c: Conversion) -> Iterator[Change]:
    """Columns, order index, owner, policies and the auditors' rights."""
    t = trail(c)
    if t is None:
        return
    yield from schema(t)
    yield from _columns(t)
    yield from _order(t)
    yield from _owner(t)
    yield from _policies(t)
    yield from _reader(t)


def schema(t: Trail) -> Iterator[Change]:
    """The schema of the functions, and who reaches it and the trail."""
    schema, owner = t.spec.functions, t.spec.owner
    known = {s.name: s for s in t.c.catalog.schemas}
    if schema not in known:
        yield Change(
            id=f"harden.schema.{schema}", phase=Phase.HARDEN, object=schema,
            why=f"What writes and reads events is in a schema that {owner} owns.",
            apply=(ddl.create_schema(schema, owner),), verify=verify.query(verify.schema(schema)),
            revert=(ddl.drop_schema(schema),),
        )  # fmt: skip
    readers = (t.spec.reader,) if t.spec.extended else ()
    wanted = [(schema, role) for role in (*((t.c.spec.roles.app,) if readers else ()), *readers)]
    wanted += [(t.name.schema, role) for role in (owner, *readers)]
    for where, role in dict.fromkeys(wanted):
        found = known.get(where)
        if found is not None and (
            "USAGE" in found.privileges("") | found.privileges(role) or found.owner == role
        ):
            continue
        if where == t.name.schema != schema and role == t.c.spec.roles.app:
            continue  # comes with the application's other rights
        yield Change(
            id=f"harden.schema.{where}.{role}", phase=Phase.HARDEN, object=where,
            why=f"{role} reaches what it may use there.",
            apply=(ddl.grant("SCHEMA", quote(where), ["USAGE"], role),),
            verify=verify.query(verify.schema_usage(where, role)),
            revert=(ddl.revoke("SCHEMA", quote(where), ["USAGE"], role),),
        )  # fmt: skip


def _columns(t: Trail) -> Iterator[Change]:
    absent = [a for a in ADDED if t.known is None or t.known.column(a[0]) is None]
    if not absent:
        return
    name = qualified(t.name)
    adds = ",\n  ".join(f"ADD COLUMN {_definition(t, *a)}" for a in absent)
    # Of what was there before nobody knows which database user wrote it.
    late = (ddl.set_default(t.name, "database_user", "session_user"),) if _unsigned(t, absent) else ()
    drops = ",\n  ".join(f"DROP COLUMN {quote(a[0])}" for a in reversed(absent))
    yield Change(
        id=f"harden.{display(t.name)}.events", phase=Phase.HARDEN, object=display(t.name),
        why="Beside the nine columns: how it ended, in which order and transaction, for whom, in which request.",
        apply=(f"ALTER TABLE {name}\n  {adds}", *late),
        verify=verify.query(*(verify.column(t.name, a[0]) for a in absent)),
        revert=(f"ALTER TABLE {name}\n  {drops}",), lock=Lock.ACCESS_EXCLUSIVE, tables=(t.name,),
        rows=t.known.rows if t.known else 0, bytes=t.known.bytes if t.known else 0,
    )  # fmt: skip


def _unsigned(t: Trail, absent: list[tuple[str, str, str]]) -> bool:
    return t.known is not None and any(a[0] == "database_user" for a in absent)


def _definition(t: Trail, column: str, type_: str, filled: str) -> str:
    if column == "database_user" and t.known is not None:
        filled = "NOT NULL DEFAULT ''"
    if column == "outcome":
        values = ", ".join(literal(o) for o in OUTCOMES)
        filled += f" CONSTRAINT {quote(_check(t))} CHECK (outcome IN ({values}))"
    return " ".join(filter(None, [quote(column), type_, filled]))


def _check(t: Trail) -> str:
    taken = {x.name for x in t.known.constraints} if t.known is not None else set()
    return free(fit(f"{t.name.name}_outcome_known"), taken)


def _order(t: Trail) -> Iterator[Change]:
    keys = (Key("xid"), Key("seq"))
    if t.known is not None and any(i.keys == keys and i.valid and not i.predicate for i in t.known.indexes):
        return
    taken = t.c.catalog.relation_names.get(t.name.schema, frozenset())
    left = {i.name for i in t.known.indexes if i.keys == keys and not i.valid} if t.known else set()
    index = Index(free(f"{t.name.name}_xid_seq_idx", taken - left), "btree", keys)
    made = QName(t.name.schema, index.name)
    online = t.c.online and (t.known is None or t.known.kind == "table")
    yield Change(
        id=f"harden.{index.name}", phase=Phase.HARDEN, object=display(t.name),
        why="Events are sealed transaction by transaction, and found by it.",
        apply=(ddl.create_index(t.name, index, concurrently=online),),
        cleanup=ddl.drop_index(made, concurrently=True, if_exists=True) if online else "",
        verify=verify.query(verify.index(made)), revert=(ddl.drop_index(made),),
        lock=Lock.SHARE_UPDATE_EXCLUSIVE if online else Lock.SHARE, tables=(t.name,),
        transactional=not online, rows=t.known.rows if t.known else 0,
    )  # fmt: skip


# Who owns it, who reads it


def _owner(t: Trail) -> Iterator[Change]:
    """The table and its guard's function go to the role of the trail; who owned it before keeps reading and writing."""
    known, owner, name = t.known, t.spec.owner, t.name
    if known is not None and known.owner == owner:
        return
    role = t.c.catalog.roles_by_name.get(known.owner) if known is not None else None
    keeps = role is not None and not role.superuser and role.name != t.c.spec.roles.app
    words = ["SELECT", "INSERT"]
    kept = (ddl.grant("TABLE", qualified(name), words, role.name),) if keeps and role else ()
    lost = (ddl.revoke("TABLE", qualified(name), words, role.name),) if keeps and role else ()
    function = audit.guard_function(name)
    parts = [p.qname for p in t.c.catalog.descendants(name)] if known is not None else []
    back = known.owner if known is not None else None
    yield Change(
        id=f"harden.{display(name)}.owner", phase=Phase.HARDEN, object=display(name),
        why=f"Who owns a table may switch its guards off, so {owner} owns the trail, and nobody is {owner}.",
        apply=(
            *(ddl.own(n, owner) for n in (name, *parts)), ddl.own_function(f"{qualified(function)}()", owner), *kept,
        ),
        verify=verify.query(*(verify.owned(n, owner) for n in (name, *parts))),
        revert=(
            *lost, ddl.own_function(f"{qualified(function)}()", back),
            *(ddl.own(n, back) if back else ddl.own_by_user(n) for n in (*parts, name)),
        ),
        lock=Lock.ACCESS_EXCLUSIVE, tables=(name, *parts),
    )  # fmt: skip


def _policies(t: Trail) -> Iterator[Change]:
    owner, reader = t.spec.owner, t.spec.reader
    wanted = (
        (Policy(WRITE_POLICY, True, "insert", (owner,), None, "true"),
         "Functions of the trail write events of any tenant, and of none."),
        (Policy(READ_POLICY, True, "select", tuple(sorted((owner, reader))), "true", None),
         "Auditors read the events of every tenant; everybody else those of his own."),
    )  # fmt: skip
    for policy, why in wanted:
        there = t.known.policy(policy.name) if t.known is not None else None
        if there == policy:
            continue
        yield Change(
            id=f"harden.{display(t.name)}.{policy.name}", phase=Phase.HARDEN, object=display(t.name), why=why,
            apply=(*((ddl.drop_policy(t.name, policy.name),) if there else ()), ddl.create_policy(t.name, policy)),
            verify=verify.query(verify.policy_for(t.name, policy)),
            revert=(ddl.drop_policy(t.name, policy.name), *((ddl.create_policy(t.name, there),) if there else ())),
            lock=Lock.ACCESS_EXCLUSIVE, tables=(t.name,),
        )  # fmt: skip


def _reader(t: Trail) -> Iterator[Change]:
    if t.known is not None and "SELECT" in t.known.privileges(t.spec.reader):
        return
    yield Change(
        id=f"harden.{display(t.name)}.{t.spec.reader}", phase=Phase.HARDEN, object=display(t.name),
        why=f"{t.spec.reader} reads the trail and changes nothing.",
        apply=(ddl.grant("TABLE", qualified(t.name), ["SELECT"], t.spec.reader),),
        verify=verify.query(verify.granted(t.name, t.spec.reader, "SELECT")),
        revert=(ddl.revoke("TABLE", qualified(t.name), ["SELECT"], t.spec.reader),),
    )  # fmt: skip


# What the application may do


def grants(c: Conversion) -> Iterator[Change]:
    """The application reads its tenant's events, and writes what cannot be a forgery."""
    t = trail(c)
    if t is None:
        return
    app, where = c.spec.roles.app, qualified(t.name)
    takes = _held(t)
    read = t.known is None or "SELECT" not in t.known.privileges(app) | t.known.privileges("")
    columns = _insertable(t) if t.spec.write == "columns" else []
    missing = [n for n in columns if n not in _granted(t, app)] if not takes else columns
    apply = [ddl.revoke("TABLE", where, words, role) for role, words in takes]
    apply += [ddl.grant("TABLE", where, ["SELECT"], app)] if read else []
    apply += [ddl.grant("TABLE", where, [_insert(missing)], app)] if missing else []
    if not apply:
        return
    undo = [ddl.revoke("TABLE", where, [_insert(missing)], app)] if missing else []
    undo += [ddl.revoke("TABLE", where, ["SELECT"], app)] if read else []
    undo += list(_restored(t))
    phase = Phase.OBSERVE if c.online else Phase.HARDEN
    how = "writes what it may" if columns else f"writes through {display(t.at('log'))}() only"
    yield Change(
        id=f"{phase}.{display(t.name)}.grants", phase=phase, object=display(t.name),
        why=f"{app} reads its tenant's events and {how}: never an id, a time, an order or a transaction.",
        apply=tuple(apply), verify=verify.query(*_allowed(t, columns)), revert=tuple(undo),
    )  # fmt: skip


_TABLE_WORDS = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


def _insert(columns: list[str]) -> str:
    return f"INSERT ({', '.join(quote(n) for n in columns)})"


def _insertable(t: Trail) -> list[str]:
    there = [c.name for c in t.known.columns if not c.generated and not c.identity] if t.known else []
    names = [*there, *audit.COLUMNS, *(a[0] for a in ADDED)]
    return [n for n in dict.fromkeys(names) if n not in FORBIDDEN]


def _granted(t: Trail, role: str) -> set[str]:
    grants = t.known.column_grants if t.known is not None else ()
    return {g.column for g in grants if g.role == role and "INSERT" in g.privileges}


def _held(t: Trail) -> list[tuple[str, list[str]]]:
    """What the application or everybody holds on the trail and must not: a role, and the privileges to take."""
    found = []
    for role in (t.c.spec.roles.app, ""):
        held = t.known.privileges(role) if t.known is not None else frozenset()
        wrong = {w for g in _wrong_parts(t, role) for w in g}
        if words := [w for w in _TABLE_WORDS if w in held or w in wrong]:
            found.append((role, words))
    return found


def _wrong_parts(t: Trail, role: str) -> Iterator[set[str]]:
    """Per column: the privileges of a role that it must not have."""
    allowed = set(_insertable(t)) if t.spec.write == "columns" and role else set()
    for g in t.known.column_grants if t.known is not None else ():
        if g.role == role:
            yield set(g.privileges) & set(_TABLE_WORDS) - ({"INSERT"} if g.column in allowed else set())


def _restored(t: Trail) -> Iterator[str]:
    """What was taken, given back."""
    for role, words in _held(t):
        held = [w for w in words if w in t.known.privileges(role)] if t.known is not None else []
        if held:
            yield ddl.grant("TABLE", qualified(t.name), held, role)
        for g in t.known.column_grants if t.known is not None else ():
            back = [f"{w} ({quote(g.column)})" for w in g.privileges if w in words]
            if g.role == role and back:
                yield ddl.grant("TABLE", qualified(t.name), back, role)


def _allowed(t: Trail, columns: list[str]) -> Iterator[str]:
    app = t.c.spec.roles.app
    lack = ("UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", *(() if columns else ("INSERT",)))
    yield verify.privileges("table", t.name, app, ["SELECT"], lack)
    yield verify.column_privileges(t.name, app, "INSERT", columns, FORBIDDEN)
