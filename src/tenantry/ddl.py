"""The only place that knows DDL syntax: one function per statement, names in, SQL text out.

Each docstring names the strongest table lock that the statement takes (measured through pg_locks, the same
on PostgreSQL 15 and 18). Names are quoted here and nowhere else; expressions come from the server's own
deparser or from the spec, and are put in parentheses, never rewritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from tenantry.catalog import Action, Constraint, Index, Key, Policy, Trigger
from tenantry.names import QName, columns, literal, qualified, quote

_ACTIONS: dict[Action, str] = {
    "a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT",
}  # fmt: skip


def _alter(table: QName, action: str) -> str:
    return f"ALTER TABLE {qualified(table)} {action}"


# Tables, columns


def create_table(table: QName, lines: Sequence[str]) -> str:
    """No lock that anybody waits for. ``lines`` are its columns and constraints."""
    return f"CREATE TABLE {qualified(table)} (\n  " + ",\n  ".join(lines) + "\n)"


def drop_table(table: QName) -> str:
    """ACCESS EXCLUSIVE."""
    return f"DROP TABLE {qualified(table)}"


def add_column(table: QName, column: str, type_: str, default: str | None = None) -> str:
    """ACCESS EXCLUSIVE, for an instant: a constant default is kept in the catalog and rewrites no row."""
    clause = f" DEFAULT {default}" if default is not None else ""
    return _alter(table, f"ADD COLUMN {quote(column)} {type_}{clause}")


def drop_column(table: QName, column: str) -> str:
    """ACCESS EXCLUSIVE, for an instant."""
    return _alter(table, f"DROP COLUMN {quote(column)}")


def set_default(table: QName, column: str, expression: str | None) -> str:
    """ACCESS EXCLUSIVE, for an instant; None drops the default."""
    action = f"SET DEFAULT {expression}" if expression is not None else "DROP DEFAULT"
    return _alter(table, f"ALTER COLUMN {quote(column)} {action}")


def set_not_null(table: QName, column: str) -> str:
    """ACCESS EXCLUSIVE while it scans; no scan when a validated CHECK already says so."""
    return _alter(table, f"ALTER COLUMN {quote(column)} SET NOT NULL")


def drop_not_null(table: QName, column: str) -> str:
    """ACCESS EXCLUSIVE, for an instant."""
    return _alter(table, f"ALTER COLUMN {quote(column)} DROP NOT NULL")


# Keys and constraints


def _key(key: Key) -> str:
    text = quote(key.column) if key.column is not None else f"({key.expression})"
    if key.collation:
        text += f" COLLATE {key.collation}"
    if key.opclass:
        text += f" {key.opclass}"
    if key.descending:
        text += " DESC"
    # The server's defaults are NULLS LAST for ascending and NULLS FIRST for descending keys.
    if key.nulls_first != key.descending:
        text += " NULLS FIRST" if key.nulls_first else " NULLS LAST"
    return text


def _method(index: Index) -> str:
    return index.method if index.method.isidentifier() and index.method.islower() else quote(index.method)


def create_index(table: QName, index: Index, *, concurrently: bool = False) -> str:
    """SHARE while it builds (writes wait); SHARE UPDATE EXCLUSIVE when built concurrently."""
    head = "CREATE UNIQUE INDEX" if index.unique else "CREATE INDEX"
    if concurrently:
        head += " CONCURRENTLY"
    text = f"{head} {quote(index.name)} ON {qualified(table)} USING {_method(index)}"
    text += f" ({', '.join(_key(k) for k in index.keys)})"
    return text + _index_tail(index)


def _index_tail(index: Index) -> str:
    text = f" INCLUDE ({columns(index.include)})" if index.include else ""
    if index.nulls_not_distinct:
        text += " NULLS NOT DISTINCT"
    if index.options:
        text += f" WITH ({', '.join(index.options)})"
    if index.tablespace:
        text += f" TABLESPACE {quote(index.tablespace)}"
    if index.predicate is not None:
        text += f" WHERE ({index.predicate})"
    return text


def drop_index(index: QName, *, concurrently: bool = False, if_exists: bool = False) -> str:
    """ACCESS EXCLUSIVE on the table, for an instant; SHARE UPDATE EXCLUSIVE when concurrently."""
    words = ["DROP INDEX", *(["CONCURRENTLY"] if concurrently else []), *(["IF EXISTS"] if if_exists else [])]
    return f"{' '.join(words)} {qualified(index)}"


def _deferral(deferrable: bool, deferred: bool) -> str:
    if not deferrable:
        return ""
    return " DEFERRABLE INITIALLY DEFERRED" if deferred else " DEFERRABLE"


def add_unique(
    table: QName, name: str, index: Index, old: Constraint | None = None, *, primary: bool = False
) -> str:
    """ACCESS EXCLUSIVE while it builds the index. Deferral is taken from ``old``."""
    kind = "PRIMARY KEY" if primary else "UNIQUE"
    if index.nulls_not_distinct:
        kind += " NULLS NOT DISTINCT"
    text = f"ADD CONSTRAINT {quote(name)} {kind} ({columns(index.key_columns)})"
    if index.include:
        text += f" INCLUDE ({columns(index.include)})"
    if index.options:
        text += f" WITH ({', '.join(index.options)})"
    if index.tablespace:
        text += f" USING INDEX TABLESPACE {quote(index.tablespace)}"
    return _alter(table, text + (_deferral(old.deferrable, old.deferred) if old else ""))


def adopt_index(
    table: QName, name: str, index: str, old: Constraint | None = None, *, primary: bool = False
) -> str:
    """ACCESS EXCLUSIVE, for an instant: an existing unique index becomes the constraint (and takes its name)."""
    kind = "PRIMARY KEY" if primary else "UNIQUE"
    text = f"ADD CONSTRAINT {quote(name)} {kind} USING INDEX {quote(index)}"
    return _alter(table, text + (_deferral(old.deferrable, old.deferred) if old else ""))


def add_exclusion(table: QName, name: str, index: Index, old: Constraint) -> str:
    """ACCESS EXCLUSIVE while it builds the index; there is no concurrent form."""
    keys = ", ".join(f"{_key(k)} WITH {k.operator}" for k in index.keys)
    text = f"ADD CONSTRAINT {quote(name)} EXCLUDE USING {_method(index)} ({keys})"
    if index.include:
        text += f" INCLUDE ({columns(index.include)})"
    if index.options:
        text += f" WITH ({', '.join(index.options)})"
    if index.tablespace:
        text += f" USING INDEX TABLESPACE {quote(index.tablespace)}"
    if index.predicate is not None:
        text += f" WHERE ({index.predicate})"
    return _alter(table, text + _deferral(old.deferrable, old.deferred))


def drop_constraint(table: QName, name: str, *, if_exists: bool = False) -> str:
    """ACCESS EXCLUSIVE, for an instant; of a foreign key: on both tables."""
    return _alter(table, f"DROP CONSTRAINT {'IF EXISTS ' if if_exists else ''}{quote(name)}")


def restore_constraint(table: QName, constraint: Constraint) -> tuple[str, ...]:
    """ACCESS EXCLUSIVE while it checks: a dropped constraint as it was, with its comment."""
    statements = [_alter(table, f"ADD CONSTRAINT {quote(constraint.name)} {constraint.definition}")]
    if constraint.comment is not None:
        statements.append(comment_on_constraint(table, constraint.name, constraint.comment))
    return tuple(statements)


def add_not_null_check(table: QName, name: str, column: str) -> str:
    """ACCESS EXCLUSIVE, for an instant: holds for new rows at once, for old ones when validated."""
    return _alter(table, f"ADD CONSTRAINT {quote(name)} CHECK ({quote(column)} IS NOT NULL) NOT VALID")


def add_not_empty_check(table: QName, name: str, column: str) -> str:
    """ACCESS EXCLUSIVE, for an instant: holds for new rows at once, for old ones when validated."""
    return _alter(table, f"ADD CONSTRAINT {quote(name)} CHECK ({quote(column)} <> '') NOT VALID")


def validate_constraint(table: QName, name: str) -> str:
    """SHARE UPDATE EXCLUSIVE while it scans (a foreign key: also ROW SHARE on the parent)."""
    return _alter(table, f"VALIDATE CONSTRAINT {quote(name)}")


def add_foreign_key(table: QName, name: str, fk: Constraint, *, not_valid: bool = False) -> str:
    """SHARE ROW EXCLUSIVE on both tables; while it scans, unless NOT VALID. MATCH SIMPLE always."""
    assert fk.references is not None
    text = f"ADD CONSTRAINT {quote(name)} FOREIGN KEY ({columns(fk.columns)})"
    text += f" REFERENCES {qualified(fk.references)} ({columns(fk.referenced)})"
    if fk.on_update != "a":
        text += f" ON UPDATE {_ACTIONS[fk.on_update]}"
    if fk.on_delete != "a":
        text += f" ON DELETE {_ACTIONS[fk.on_delete]}"
        if fk.delete_columns:
            text += f" ({columns(fk.delete_columns)})"
    text += _deferral(fk.deferrable, fk.deferred)
    if not fk.enforced:
        text += " NOT ENFORCED"
    elif not_valid:
        text += " NOT VALID"
    return _alter(table, text)


def comment_on_constraint(table: QName, name: str, comment: str | None) -> str:
    """At most ACCESS SHARE."""
    return f"COMMENT ON CONSTRAINT {quote(name)} ON {qualified(table)} IS {literal(comment)}"


def comment_on_index(index: QName, comment: str | None) -> str:
    """SHARE UPDATE EXCLUSIVE, for an instant."""
    return f"COMMENT ON INDEX {qualified(index)} IS {literal(comment)}"


def cluster_on(table: QName, index: str) -> str:
    """SHARE UPDATE EXCLUSIVE, for an instant: says which index a later CLUSTER sorts by, moves no row."""
    return _alter(table, f"CLUSTER ON {quote(index)}")


def replica_identity(table: QName, index: str) -> str:
    """ACCESS EXCLUSIVE, for an instant."""
    return _alter(table, f"REPLICA IDENTITY USING INDEX {quote(index)}")


# Row level security


def row_security(table: QName, action: str) -> str:
    """ACCESS EXCLUSIVE, for an instant. ``action``: ENABLE, DISABLE, FORCE or NO FORCE."""
    return _alter(table, f"{action} ROW LEVEL SECURITY")


def create_policy(table: QName, policy: Policy) -> str:
    """ACCESS EXCLUSIVE, for an instant."""
    text = f"CREATE POLICY {quote(policy.name)} ON {qualified(table)}"
    text += f" AS {'PERMISSIVE' if policy.permissive else 'RESTRICTIVE'} FOR {policy.command.upper()}"
    text += f" TO {columns(policy.roles) if policy.roles else 'PUBLIC'}"
    if policy.using is not None:
        text += f" USING ({policy.using})"
    if policy.check is not None:
        text += f" WITH CHECK ({policy.check})"
    return text


def drop_policy(table: QName, name: str, *, if_exists: bool = False) -> str:
    """ACCESS EXCLUSIVE, for an instant."""
    return f"DROP POLICY {'IF EXISTS ' if if_exists else ''}{quote(name)} ON {qualified(table)}"


def analyze(table: QName, column: str) -> str:
    """SHARE UPDATE EXCLUSIVE while it samples."""
    return f"ANALYZE {qualified(table)} ({quote(column)})"


# Functions, triggers, views, roles, grants


def create_definer(signature: str, returns: str, how: str, config: Sequence[str], body: str) -> str:
    """No table lock. ``signature`` has the arguments, ``config`` are settings as the catalog keeps them."""
    settings = " ".join(f"SET {each.replace('=', ' = ', 1)}" for each in config)
    return (
        f"CREATE FUNCTION {signature} RETURNS {returns}\n"
        f"{how} SECURITY DEFINER {settings}\n"
        f"AS {literal(body)}"
    )


def create_function(signature: str, returns: str, how: str, body: str) -> str:
    """No table lock. ``signature`` has the arguments, ``how`` is the language and what else is declared of it."""
    return f"CREATE OR REPLACE FUNCTION {signature} RETURNS {returns}\n{how}\nAS {_dollars(body)}"


def _dollars(body: str) -> str:
    """A body between dollar signs with a tag that it does not have."""
    tag = next(tag for n in count() if (tag := f"$body{n}$" if n else "$$") not in body)
    return f"{tag}{body}{tag}"


def drop_function(signature: str) -> str:
    """No table lock. ``signature`` is quoted, with the types of the arguments."""
    return f"DROP FUNCTION {signature}"


def switch_trigger(table: QName, trigger: Trigger, *, on: bool) -> str:
    """SHARE ROW EXCLUSIVE, for an instant. Switching on restores the state that the trigger had."""
    state = {"O": "ENABLE", "A": "ENABLE ALWAYS", "R": "ENABLE REPLICA", "D": "DISABLE"}[trigger.enabled]
    return _alter(table, f"{state if on else 'DISABLE'} TRIGGER {quote(trigger.name)}")


def enable_always(table: QName, trigger: str) -> str:
    """SHARE ROW EXCLUSIVE, for an instant: fires under session_replication_role = replica too."""
    return _alter(table, f"ENABLE ALWAYS TRIGGER {quote(trigger)}")


def create_guard(table: QName, trigger: str, events: str, each: str, function: QName) -> str:
    """SHARE ROW EXCLUSIVE, for an instant."""
    return (
        f"CREATE TRIGGER {quote(trigger)} BEFORE {events} ON {qualified(table)} "
        f"FOR EACH {each} EXECUTE FUNCTION {qualified(function)}()"
    )


def create_trigger(
    table: QName, trigger: str, timing: str, events: Sequence[str], row: bool, function: QName, over: str = ""
) -> str:
    """SHARE ROW EXCLUSIVE, for an instant. ``over``: a REFERENCING clause."""
    each = "ROW" if row else "STATEMENT"
    words = f"{timing} {' or '.join(events)}".upper()
    middle = f" {over}" if over else ""
    return (
        f"CREATE TRIGGER {quote(trigger)} {words} ON {qualified(table)}{middle} "
        f"FOR EACH {each} EXECUTE FUNCTION {qualified(function)}()"
    )


def drop_trigger(table: QName, trigger: str) -> str:
    """ACCESS EXCLUSIVE, for an instant."""
    return f"DROP TRIGGER {quote(trigger)} ON {qualified(table)}"


def security_invoker(view: QName, *, on: bool) -> str:
    """ACCESS EXCLUSIVE on the view, for an instant."""
    return f"ALTER VIEW {qualified(view)} {'SET (security_invoker = true)' if on else 'RESET (security_invoker)'}"


def create_role(role: str, *, login: bool) -> str:
    """No table lock. Roles belong to the whole cluster, so another database may have made it meanwhile."""
    attributes = "LOGIN" if login else "NOLOGIN"
    return (
        "DO $$ BEGIN\n"
        f"  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {literal(role)}) THEN\n"
        f"    CREATE ROLE {quote(role)} {attributes} NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOREPLICATION;\n"
        "  END IF;\n"
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;\n"
        "END $$"
    )


def drop_role(role: str) -> str:
    """No table lock. Left in place, with a notice, when another database still uses it."""
    return (
        "DO $$ BEGIN\n"
        f"  DROP ROLE IF EXISTS {quote(role)};\n"
        "EXCEPTION WHEN dependent_objects_still_exist THEN\n"
        f"  RAISE NOTICE 'role % is still used by another database and stays', {literal(role)};\n"
        "END $$"
    )


def own(table: QName, owner: str) -> str:
    """ACCESS EXCLUSIVE, for an instant."""
    return _alter(table, f"OWNER TO {quote(owner)}")


def own_by_user(table: QName) -> str:
    """ACCESS EXCLUSIVE, for an instant: back to who runs the statement."""
    return _alter(table, "OWNER TO CURRENT_USER")


def own_function(signature: str, owner: str | None) -> str:
    """No table lock. ``signature`` is quoted SQL; None gives it to who runs the statement."""
    return f"ALTER FUNCTION {signature} OWNER TO {quote(owner) if owner is not None else 'CURRENT_USER'}"


def create_schema(schema: str, owner: str) -> str:
    """No table lock."""
    return f"CREATE SCHEMA {quote(schema)} AUTHORIZATION {quote(owner)}"


def drop_schema(schema: str) -> str:
    """No table lock; refused while anything is in it."""
    return f"DROP SCHEMA {quote(schema)}"


def grant(kind: str, name: str, privileges: Sequence[str], role: str) -> str:
    """At most ACCESS SHARE. ``name`` is quoted SQL; an empty role is PUBLIC."""
    return f"GRANT {', '.join(privileges)} ON {kind} {name} TO {quote(role) if role else 'PUBLIC'}"


def revoke(kind: str, name: str, privileges: Sequence[str], role: str) -> str:
    """At most ACCESS SHARE. ``name`` is quoted SQL; an empty role is PUBLIC."""
    return f"REVOKE {', '.join(privileges)} ON {kind} {name} FROM {quote(role) if role else 'PUBLIC'}"
