"""Observe mode: policies in place that hide nothing yet, while what they would have hidden is recorded.

Beside the canonical policy stands a second permissive one, for the members of one role only, whose sub-select
calls a recording function. PostgreSQL ORs permissive policies and stops at the first that is true, so the
function runs exactly where the canonical policy refuses a row. The order of evaluation is not documented: a
self-test refuses observe mode on a server where it does not hold. Cut-over is revoking the membership.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

from tenantry import ddl, verify
from tenantry.catalog import Policy, Table
from tenantry.conversion import Conversion
from tenantry.names import QName, display, literal, quote
from tenantry.plan import Change, Lock, Phase

POLICY = "observe"  # sorts before tenant_isolation, so that it is asked after it
ROLE = "tenantry_legacy"
_RELATION_PRIVILEGES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
_ALL_TABLES = frozenset({"pg_read_all_data", "pg_write_all_data"})


def is_ours(policy: Policy) -> bool:
    """True for a policy that observe mode left on a table."""
    return policy.name == POLICY and policy.permissive and policy.roles == (ROLE,)


def watched(table: Table) -> bool:
    """True for a table in observe mode."""
    return any(is_ours(p) for p in table.policies)


def starts(c: Conversion, table: Table) -> bool:
    """True where this plan puts a table in observe mode: online, and not isolated before."""
    return c.online and not (table.row_security and table.forced)


def policy(table: QName) -> Policy:
    """The recording policy of a table."""
    call = f"(SELECT tenantry.observe({literal(display(table))}))"
    return Policy(POLICY, True, "all", (ROLE,), call, call)


def members(c: Conversion) -> list[str]:
    """The roles through which the application of today reaches the tables, as far as policies bind them.

    A login that has its rights from a group, by inheritance or by SET ROLE, is shown every row through it too.
    """
    tables = [t.table for t in c.tables] + [t for t, _ in c.through]
    grants = [g for t in tables for g in (*t.grants, *t.column_grants)]
    found = {t.owner for t in tables} | {g.role for g in grants if _RELATION_PRIVILEGES & set(g.privileges)}
    for role in c.catalog.roles:
        # Granted to PUBLIC, any login may be the application.
        if (role.login and "" in found) or _ALL_TABLES & set(role.member_of):
            found.add(role.name)
    # Nobody logs in as these: they read what the plan lets them, and no application of today.
    found -= {c.spec.roles.resolver, *((c.spec.audit.owner,) if c.spec.audit is not None else ())}
    known = [r for r in c.catalog.roles if r.name in found]
    return [r.name for r in known if not r.superuser and not r.bypass_rls]


def prepare(c: Conversion) -> Iterator[Change]:
    """The role, its members and the recording function, with the self-test; where a table needs them."""
    if not any(pending for _, pending in _policed(c)):
        return
    grants = tuple(f"GRANT {quote(ROLE)} TO {quote(name)}{_inheriting(c, name)}" for name in members(c))
    tables = [table.qname for table, pending in _policed(c) if pending]
    # Another database may have made the role: it is not enough that it is there.
    ready = " AND ".join([verify.role(ROLE), *(verify.inherits(name, ROLE) for name in members(c))])
    # The policies come after this step. Once they are there it was done, and after the cut-over, when they are
    # gone again, the role is so for good: resumed then, this step must not bring it back.
    begun = [verify.any_policy(name, POLICY) for name in tables]
    over = " AND ".join(verify.row_security(name) for name in tables)
    yield Change(
        id="observe.role",
        phase=Phase.OBSERVE,
        object=ROLE,
        why=f"Members of {ROLE} are shown every row until the cut-over: {', '.join(members(c)) or 'nobody yet'}.",
        apply=(ddl.create_role(ROLE, login=False), *grants),
        verify=verify.query(verify.either(*begun, f"({over})", f"({ready})")),
        revert=(ddl.drop_role(ROLE),),
    )
    text = (resources.files("tenantry") / "sql" / "observe_create.sql").read_text(encoding="utf-8")
    statements = tuple(
        s for s in text.split("\n\n") if not all(line.startswith("--") for line in s.splitlines())
    )
    yield Change(
        id="observe.function",
        phase=Phase.OBSERVE,
        object="tenantry.observe",
        why="Records the statements that a policy would have filtered; first a test that the server asks it last.",
        apply=(_self_test(c), *(s.rstrip().removesuffix(";") for s in statements)),
        verify=verify.query("pg_catalog.to_regprocedure('tenantry.observe(text)') IS NOT NULL"),
        revert=("DROP FUNCTION IF EXISTS tenantry.observe(text)",),
    )


def problems(c: Conversion) -> Iterator[str]:
    """Before PostgreSQL 16, no membership exempts a role that inherits nothing: it would be shut out at once."""
    if c.catalog.server.version < 160000 and any(pending for _, pending in _policed(c)):
        for name in members(c):
            if not c.catalog.roles_by_name[name].inherit:
                yield f"role {name}: is NOINHERIT, and {ROLE} could not show it every row until the cut-over; ALTER ROLE {quote(name)} INHERIT first, or use the profile transactional"


def _inheriting(c: Conversion, name: str) -> str:
    """What has a role that inherits nothing inherit this all the same."""
    return "" if c.catalog.roles_by_name[name].inherit else " WITH INHERIT TRUE"


def _self_test(c: Conversion) -> str:
    """A table of its own whose second policy fails when it is asked for a row that the first one lets through."""
    app = quote(c.spec.roles.app)
    return "\n".join([
        "DO $test$ BEGIN",
        "  CREATE SCHEMA tenantry_self_test;",
        "  CREATE TABLE tenantry_self_test.rows (tenant text);",
        "  INSERT INTO tenantry_self_test.rows VALUES ('a'), ('a');",
        "  CREATE FUNCTION tenantry_self_test.asked() RETURNS boolean LANGUAGE plpgsql VOLATILE AS",
        "    $f$ BEGIN RAISE EXCEPTION 'observe mode is not possible: this server asks policies in another order'; END $f$;",
        "  CREATE POLICY tenant_isolation ON tenantry_self_test.rows USING (tenant = 'a');",
        f"  CREATE POLICY {quote(POLICY)} ON tenantry_self_test.rows USING ((SELECT tenantry_self_test.asked()));",
        "  ALTER TABLE tenantry_self_test.rows ENABLE ROW LEVEL SECURITY;",
        "  ALTER TABLE tenantry_self_test.rows FORCE ROW LEVEL SECURITY;",
        f"  GRANT USAGE ON SCHEMA tenantry_self_test TO {app};",
        f"  GRANT SELECT ON tenantry_self_test.rows TO {app};",
        "  SET LOCAL row_security = on;",
        "  IF (SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN",
        f"    SET LOCAL ROLE {app};  -- policies do not bind who runs this",
        "  END IF;",
        "  PERFORM tenant FROM tenantry_self_test.rows;",
        "  RESET ROLE; SET LOCAL row_security = off;",
        "  DROP SCHEMA tenantry_self_test CASCADE;",
        "END $test$",
    ])  # fmt: skip


def cut_over(c: Conversion) -> Iterator[Change]:
    """Take the recording policies away, and then the role: from here the canonical policy alone decides."""
    phase = Phase.CUTOVER if c.online else Phase.HARDEN
    tables = [table for table, pending in _policed(c) if pending or watched(table)]
    for number, table in enumerate(tables, 1):
        name, last = table.qname, number == len(tables)
        why = f"{display(name)} shows and takes only rows of the session's tenant from here on."
        # The role goes with the last policy: a plan made after that has nothing to know it by.
        yield Change(
            id=f"{phase}.{display(name)}.observe",
            phase=phase,
            object=display(name),
            why=why + " Nobody is exempt any more." if last else why,
            apply=(ddl.drop_policy(name, POLICY, if_exists=True), *([ddl.drop_role(ROLE)] if last else [])),
            verify=verify.query(verify.negate(verify.any_policy(name, POLICY))),
            lock=Lock.ACCESS_EXCLUSIVE,
            tables=(name,),
        )


def _policed(c: Conversion) -> list[tuple[Table, bool]]:
    """Every table under a policy, and whether this plan puts it in observe mode."""
    known = c.catalog.by_name
    names = [t.qname for t in c.tables] + [t.qname for t, _ in c.through] + [c.tenants]
    if c.spec.audit is not None:
        names.append(c.spec.audit.table)
    tables = [known.get(n) or Table(n.schema, n.name, "table", "", ()) for n in names]
    return [(t, starts(c, t)) for t in tables]
