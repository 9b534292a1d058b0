"""Boolean queries over the server's catalogs: is a thing as a step leaves it?

Each function returns one SQL expression that yields exactly true or false and never fails when an object
is missing; steps join them with :func:`every`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tenantry.catalog import Function, Policy
from tenantry.names import QName, literal, qualified, quote


def query(*conditions: str) -> str:
    """The verify query of a step: all conditions hold."""
    return "SELECT " + " AND ".join(conditions)


def either(*conditions: str) -> str:
    """One of the conditions holds."""
    return "(" + " OR ".join(conditions) + ")"


def negate(condition: str) -> str:
    """The condition does not hold."""
    return f"NOT {condition}"


def _regclass(name: QName) -> str:
    return f"pg_catalog.to_regclass({literal(qualified(name))})"


def _exists(source: str, where: str) -> str:
    return f"EXISTS (SELECT FROM pg_catalog.{source} WHERE {where})"


def relation(name: QName) -> str:
    """A relation of that name exists."""
    return f"({_regclass(name)} IS NOT NULL)"


def column(table: QName, name: str) -> str:
    """The table has that column."""
    return _exists(
        "pg_attribute", f"attrelid = {_regclass(table)} AND attname = {literal(name)} AND NOT attisdropped"
    )


def not_null(table: QName, name: str) -> str:
    """The column is NOT NULL, for old rows too."""
    return _exists(
        "pg_attribute",
        f"attrelid = {_regclass(table)} AND attname = {literal(name)} AND NOT attisdropped AND attnotnull",
    )


def default(table: QName, name: str, expected: Sequence[str]) -> str:
    """The column's default deparses to one of the expected texts."""
    return (
        "EXISTS (SELECT FROM pg_catalog.pg_attrdef d JOIN pg_catalog.pg_attribute a"
        f" ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = {_regclass(table)}"
        f" AND a.attname = {literal(name)} AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) IN ({_texts(expected)}))"
    )


def _texts(values: Sequence[str]) -> str:
    return ", ".join(literal(v) for v in values)


def constraint(table: QName, name: str, *, valid: bool = True) -> str:
    """The table has that constraint, validated unless said otherwise."""
    where = f"conrelid = {_regclass(table)} AND conname = {literal(name)}"
    return _exists("pg_constraint", where + (" AND convalidated" if valid else ""))


def index(name: QName) -> str:
    """A valid index of that name exists."""
    return _exists("pg_index", f"indexrelid = {_regclass(name)} AND indisvalid AND indisready")


def primary_key(table: QName, columns: Sequence[str]) -> str:
    """The primary key is exactly these columns, in any order."""
    return (
        "EXISTS (SELECT FROM pg_catalog.pg_index i"
        f" WHERE i.indrelid = {_regclass(table)} AND i.indisprimary AND ARRAY[{_texts(sorted(columns))}]::text[] ="
        " ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indrelid"
        ' AND a.attnum = ANY (i.indkey) ORDER BY a.attname::text COLLATE "C"))'
    )


def no_nulls(table: QName, name: str) -> str:
    """No row has NULL in the column (reads the table)."""
    return f"NOT EXISTS (SELECT FROM {qualified(table)} WHERE {quote(name)} IS NULL)"


def row_security(table: QName) -> str:
    """Row level security is enabled and forced."""
    return _exists("pg_class", f"oid = {_regclass(table)} AND relrowsecurity AND relforcerowsecurity")


def policy(table: QName, name: str, using: Sequence[str] = (), says: str = "") -> str:
    """A permissive policy FOR ALL TO PUBLIC of that name; its text is one of ``using`` when given, and holds ``says``."""
    where = f"polrelid = {_regclass(table)} AND polname = {literal(name)} AND polpermissive AND polcmd = '*'"
    where += " AND polroles = ARRAY[0::oid]"
    if using:
        texts = _texts([u.replace('"', "") for u in using])
        for part in ("polqual", "polwithcheck"):
            where += (
                f" AND pg_catalog.translate(pg_catalog.pg_get_expr({part}, polrelid), '\"', '') IN ({texts})"
            )
    if says:
        text = "pg_catalog.translate(pg_catalog.pg_get_expr(polqual, polrelid), '\"', '')"
        where += f" AND pg_catalog.strpos({text}, {literal(says.replace(chr(34), ''))}) > 0"
    return _exists("pg_policy", where)


def any_policy(table: QName, name: str) -> str:
    """The table has a policy of that name."""
    return _exists("pg_policy", f"polrelid = {_regclass(table)} AND polname = {literal(name)}")


def trigger(table: QName, name: str, *, always: bool = False) -> str:
    """The table has that trigger, switched on (ENABLE ALWAYS if asked)."""
    state = "tgenabled = 'A'" if always else "tgenabled IN ('O', 'A')"
    return _exists("pg_trigger", f"tgrelid = {_regclass(table)} AND tgname = {literal(name)} AND {state}")


def no_trigger(table: QName, name: str) -> str:
    """The table has no trigger of that name."""
    return f"NOT {_exists('pg_trigger', f'tgrelid = {_regclass(table)} AND tgname = {literal(name)}')}"


def security_invoker(view: QName) -> str:
    """The view runs with the rights of who reads it."""
    return _exists(
        "pg_class",
        f"oid = {_regclass(view)} AND reloptions && ARRAY['security_invoker=true', 'security_invoker=on',"
        " 'security_invoker=1', 'security_invoker=yes']",
    )


def role(name: str) -> str:
    """The role exists and row level security binds it."""
    return _exists("pg_roles", f"rolname = {literal(name)} AND NOT rolsuper AND NOT rolbypassrls")


def inherits(member: str, role_: str) -> str:
    """The first role has the rights of the second, and policies for the second hold for it."""
    return _exists(
        "pg_roles m, pg_catalog.pg_roles r",
        f"m.rolname = {literal(member)} AND r.rolname = {literal(role_)}"
        " AND pg_catalog.pg_has_role(m.oid, r.oid, 'USAGE')",
    )


def owned(table: QName, owner: str) -> str:
    """The table belongs to that role."""
    return _exists(
        "pg_class c JOIN pg_catalog.pg_roles r ON r.oid = c.relowner",
        f"c.oid = {_regclass(table)} AND r.rolname = {literal(owner)}",
    )


def privileges(kind: str, name: QName, role_: str, have: Sequence[str], lack: Sequence[str] = ()) -> str:
    """The role has all of ``have`` on the object and none of ``lack``, not even on a column. ``kind``: table, sequence."""
    tests = [f"pg_catalog.has_{kind}_privilege(r.oid, {_regclass(name)}, {literal(p)})" for p in have]
    for p in lack:
        what = "any_column" if kind == "table" and p in ("SELECT", "INSERT", "UPDATE", "REFERENCES") else kind
        tests.append(f"NOT pg_catalog.has_{what}_privilege(r.oid, {_regclass(name)}, {literal(p)})")
    return _exists("pg_roles r", " AND ".join([f"r.rolname = {literal(role_)}", *tests]))


def open_schema(schema: str) -> str:
    """Everybody may use the schema."""
    return _exists(
        "pg_namespace n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) a",
        f"n.nspname = {literal(schema)} AND a.grantee = 0 AND a.privilege_type = 'USAGE'",
    )


def schema_usage(schema: str, role_: str) -> str:
    """The role may use the schema."""
    return _exists(
        "pg_roles r, pg_catalog.pg_namespace n",
        f"r.rolname = {literal(role_)} AND n.nspname = {literal(schema)}"
        " AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')",
    )


def schema(name: str) -> str:
    """The schema exists."""
    return _exists("pg_namespace", f"nspname = {literal(name)}")


_COMMANDS = {"all": "*", "select": "r", "insert": "a", "update": "w", "delete": "d"}  # pg_policy.polcmd
_BLANK = ' \n()"'


def _plain(expression: str | None) -> str:
    return "".join(c for c in expression or "" if c not in _BLANK)


def _bare(column: str) -> str:
    text = f"coalesce(pg_catalog.pg_get_expr({column}, polrelid), '')"
    return f"pg_catalog.translate({text}, {literal(_BLANK)}, '')"


def policy_for(table: QName, policy: Policy, suffix: str = "") -> str:
    """The table has that policy: of its name, kind and command, for exactly its roles, and saying what it says.

    Blanks, parentheses and quotes of its expressions do not count, nor a ``suffix`` that the server adds to them.
    """
    says = "".join(
        f" AND {_bare(column)} IN ({_texts([told, f'{told}{suffix}'])})"
        for column, told in (("polqual", _plain(policy.using)), ("polwithcheck", _plain(policy.check)))
    )
    return _exists(
        "pg_policy",
        f"polrelid = {_regclass(table)} AND polname = {literal(policy.name)}"
        f" AND {'' if policy.permissive else 'NOT '}polpermissive AND polcmd = {literal(_COMMANDS[policy.command])}{says}"
        f" AND ARRAY[{_texts(sorted(policy.roles))}]::text[] = ARRAY(SELECT r.rolname::text FROM pg_catalog.pg_roles r"
        ' WHERE r.oid = ANY (polroles) ORDER BY r.rolname::text COLLATE "C")',
    )


def granted(table: QName, role_: str, privilege: str) -> str:
    """The privilege on the table was granted to that very role, not to everybody or to one that it belongs to."""
    return _exists(
        "pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a"
        " JOIN pg_catalog.pg_roles r ON r.oid = a.grantee",
        f"c.oid = {_regclass(table)} AND r.rolname = {literal(role_)} AND a.privilege_type = {literal(privilege)}",
    )


def column_privileges(
    table: QName, role_: str, privilege: str, have: Sequence[str], lack: Sequence[str]
) -> str:
    """The role has the privilege on each column of ``have`` and on none of ``lack``."""
    tests = [f"r.rolname = {literal(role_)}"]
    for columns_, no in ((have, ""), (lack, "NOT ")):
        tests += [
            f"{no}pg_catalog.has_column_privilege(r.oid, {_regclass(table)}, {literal(c)}, {literal(privilege)})"
            for c in columns_
        ]
    return _exists("pg_roles r", " AND ".join(tests))


def only_columns(table: QName, role_: str, columns_: Sequence[str]) -> str:
    """The role was granted SELECT on exactly these columns of the table, and nothing else of it."""
    granted_ = (
        "SELECT a.attname || ' ' || x.privilege_type FROM pg_catalog.pg_attribute a CROSS JOIN LATERAL"
        " pg_catalog.aclexplode(a.attacl) x JOIN pg_catalog.pg_roles r ON r.oid = x.grantee"
        f" WHERE a.attrelid = {_regclass(table)} AND NOT a.attisdropped AND r.rolname = {literal(role_)}"
        " UNION ALL SELECT x.privilege_type FROM pg_catalog.pg_class c CROSS JOIN LATERAL"
        " pg_catalog.aclexplode(c.relacl) x JOIN pg_catalog.pg_roles r ON r.oid = x.grantee"
        f" WHERE c.oid = {_regclass(table)} AND r.rolname = {literal(role_)}"
    )
    wanted = _texts(sorted(f"{c} SELECT" for c in columns_))
    return (
        f'(ARRAY[{wanted}]::text[] = ARRAY(SELECT g.t FROM ({granted_}) AS g (t) ORDER BY g.t COLLATE "C"))'
    )


def function(signature: str, wanted: Function) -> str:
    """The function is there as wanted: body, settings, rights that it runs with, volatility, owner and who may call it.

    ``signature`` is quoted SQL, with the types of the arguments. :meth:`tenantry.catalog.Function.like` says the same
    of a catalog.
    """
    acl = "pg_catalog.aclexplode(coalesce(f.proacl, pg_catalog.acldefault('f', f.proowner))) a"
    if "" in wanted.callers:
        callers = f"EXISTS (SELECT FROM {acl} WHERE a.grantee = 0)"
    else:
        callers = (
            f"ARRAY[{_texts(sorted(set(wanted.callers)))}]::text[] = ARRAY(SELECT DISTINCT coalesce(r.rolname, '')::text"
            f' COLLATE "C" FROM {acl} LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee'
            " WHERE a.grantee <> f.proowner ORDER BY 1)"
        )
    config = f"ARRAY[{_texts(wanted.config)}]::text[]"
    return _exists(
        "pg_proc f JOIN pg_catalog.pg_roles o ON o.oid = f.proowner",
        f"f.oid = pg_catalog.to_regprocedure({literal(signature)}) AND o.rolname = {literal(wanted.owner)}"
        f" AND {'' if wanted.security_definer else 'NOT '}f.prosecdef AND f.provolatile = {literal(wanted.volatility)}"
        f" AND coalesce(f.proconfig, '{{}}') @> {config} AND coalesce(f.proconfig, '{{}}') <@ {config}"
        f" AND {_digest(wanted.source)} AND {callers}",
    )


def alone(signature: str) -> str:
    """The owner of the function has no second one of its name."""
    return (
        "NOT EXISTS (SELECT FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_proc q ON q.pronamespace = f.pronamespace"
        " AND q.proname = f.proname AND q.proowner = f.proowner AND q.oid <> f.oid"
        f" WHERE f.oid = pg_catalog.to_regprocedure({literal(signature)}))"
    )


def _digest(source: str) -> str:
    known = hashlib.sha256(source.encode()).hexdigest()
    return f"pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(f.prosrc, 'UTF8')), 'hex') = '{known}'"


def owner_only(table: QName) -> str:
    """Nobody but its owner has any right on the table, or on a column of it."""
    return (
        "NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute t ON t.attrelid = c.oid"
        " CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(c.relacl, '{}') || coalesce(t.attacl, '{}')) a"
        f" WHERE c.oid = {_regclass(table)} AND a.grantee <> c.relowner)"
    )


def source(signature: str, text: str) -> str:
    """The function is there with that body."""
    return _exists(
        "pg_proc f", f"f.oid = pg_catalog.to_regprocedure({literal(signature)}) AND {_digest(text)}"
    )


def event_trigger(name: str) -> str:
    """The event trigger is there, also in replication mode."""
    return _exists("pg_event_trigger", f"evtname = {literal(name)} AND evtenabled = 'A'")


def constraint_comment(table: QName, name: str, comment: str) -> str:
    """The constraint carries that comment."""
    return _exists(
        "pg_constraint c",
        f"c.conrelid = {_regclass(table)} AND c.conname = {literal(name)}"
        f" AND pg_catalog.obj_description(c.oid, 'pg_constraint') = {literal(comment)}",
    )


def statistics(table: QName, column_: str) -> str:
    """The column has been analyzed."""
    return (
        f"EXISTS (SELECT FROM pg_catalog.pg_stats WHERE schemaname = {literal(table.schema)}"
        f" AND tablename = {literal(table.name)} AND attname = {literal(column_)})"
    )


def empty(table: QName) -> str:
    """The table has no row."""
    return f"NOT EXISTS (SELECT FROM {qualified(table)})"
