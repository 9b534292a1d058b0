"""Small plans made by hand, with everything in their SQL that a migrator could trip over."""

from typing import Any

import psycopg

from tenantry.names import QName, literal, quote
from tenantry.plan import Backfill, Change, Lock, Phase, Plan, Profile

# What parameter styles, template engines, quoting and line handling like to damage.
NASTY = (
    "a :x ::text :1 %s %(y)s %% 100% $1 ${z} {w} \\ \\: \\n C:\\new E'\\' -- no comment; /* none */\n"
    "\ta tab, \"\"\" ''' $$ `t` ü 漢 🦀 \r\n\x0b end:"
)
ODD = 'Odd "" näme: %s \\ 漢'

BEFORE = f"""
CREATE TABLE users (id text PRIMARY KEY, email text UNIQUE);
INSERT INTO users SELECT 'u' || n, 'u' || n || '@example.org' FROM generate_series(1, 20) n;
CREATE TABLE {quote(ODD)} (id int PRIMARY KEY, note text);
INSERT INTO {quote(ODD)} VALUES (1, 'one');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''touched''; END';
CREATE TRIGGER touched BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch();
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON users DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION late();
"""

_ODD_SQL = quote("public", ODD)
_ODD_CHECK = quote(f"{ODD}_note_check")
_DONE = "SELECT true"


def change(phase: Phase, id_: str, *apply: str, revert: tuple[str, ...] = (), **fields: Any) -> Change:
    """A step whose why is its id."""
    return Change(
        id=id_,
        phase=phase,
        object="users",
        why=f"Why {id_}.",
        apply=apply,
        verify=_DONE,
        revert=revert,
        **fields,
    )


def plan(*steps: Change | Backfill, profile: Profile = "transactional", **fields: Any) -> Plan:
    """A plan of these steps."""
    return Plan(spec_digest="s", catalog_digest="c", profile=profile, steps=steps, **fields)


def _tenants() -> Change:
    return change(
        Phase.TENANTS,
        "tenants.create",
        "CREATE TABLE tenants (id text PRIMARY KEY, name text)",
        f"INSERT INTO tenants VALUES ('default', {literal(NASTY)})",
        revert=("DROP TABLE tenants",),
        destructive=True,
    )


def _column(table: str, name: str) -> Change:
    return change(
        Phase.COLUMNS,
        f"columns.{name}.tenant_id",
        f"ALTER TABLE {table} ADD COLUMN tenant_id text",
        revert=(f"ALTER TABLE {table} DROP COLUMN tenant_id",),
        lock=Lock.ACCESS_EXCLUSIVE,
    )


def _backfill() -> Backfill:
    return Backfill(
        id="backfill.users.tenant_id",
        phase=Phase.BACKFILL,
        object="users",
        why="Rows of users get the default tenant.\nA second line: --> 100% of them.",
        update="UPDATE users SET tenant_id = 'default' WHERE tenant_id IS NULL  -- a comment at the end",
        batches=((QName("public", "users"), "UPDATE users SET tenant_id = 'default' WHERE true"),),
        unresolved="SELECT 0",
        foreign_rows="SELECT 0",
        verify=_DONE,
        before=("ALTER TABLE users DISABLE TRIGGER touched",),
        after=("ALTER TABLE users ENABLE TRIGGER touched;",),
    )


def _enforce() -> tuple[Change, ...]:
    return (
        change(
            Phase.ENFORCE,
            "enforce.users.tenant_id.not_null",
            "ALTER TABLE users ALTER COLUMN tenant_id SET NOT NULL",
            revert=("ALTER TABLE users ALTER COLUMN tenant_id DROP NOT NULL",),
            lock=Lock.ACCESS_EXCLUSIVE,
        ),
        change(
            Phase.ENFORCE,
            "enforce.users.policy",
            "CREATE POLICY tenant_isolation ON users USING (tenant_id = current_setting('app.x:y', true)::text)",
            "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
            revert=("ALTER TABLE users DISABLE ROW LEVEL SECURITY", "DROP POLICY tenant_isolation ON users"),
            lock=Lock.ACCESS_EXCLUSIVE,
        ),
    )


def _audit() -> Change:
    body = (
        f"\nDECLARE\n\tx text := {literal(NASTY)};\nBEGIN\n\tRAISE EXCEPTION 'no % of %', TG_OP, x;\nEND;\n"
    )
    return change(
        Phase.AUDIT,
        "audit.create",
        "CREATE TABLE trail (what text)",
        f"CREATE FUNCTION protect() RETURNS trigger LANGUAGE plpgsql AS $f${body}$f$",
        "CREATE TRIGGER protected BEFORE DELETE ON trail FOR EACH STATEMENT EXECUTE FUNCTION protect()",
        revert=("DROP TABLE trail", "DROP FUNCTION protect()"),
    )


def _harden() -> tuple[Change, ...]:
    return (
        change(
            Phase.HARDEN,
            f"harden.{ODD}\nbroken",
            "DO $$\nBEGIN\n    IF NOT EXISTS (SELECT FROM tenants WHERE id = 'no;ne') THEN\n"
            f"        ALTER TABLE {_ODD_SQL} ADD CONSTRAINT {_ODD_CHECK} CHECK (note <> ':x %s');\n    END IF;\nEND\n$$",
            revert=(f"ALTER TABLE {_ODD_SQL} DROP CONSTRAINT {_ODD_CHECK}",),
        ),
        change(
            Phase.HARDEN,
            "harden.comment",
            f"COMMENT ON TABLE {_ODD_SQL} IS {literal(NASTY)}",
            revert=(f"COMMENT ON TABLE {_ODD_SQL} IS NULL",),
        ),
    )


def whole() -> Plan:
    """All six phases, to run on a database that holds BEFORE."""
    columns = (_column("users", "users"), _column(_ODD_SQL, ODD))
    return plan(_tenants(), *columns, _backfill(), *_enforce(), _audit(), *_harden())


def online() -> Plan:
    """Steps outside transactions, after, between and before steps of one and of several statements."""
    index = change(
        Phase.ENFORCE,
        "enforce.users.index",
        "CREATE INDEX CONCURRENTLY users_tenant_id_idx ON users (tenant_id)",
        revert=("DROP INDEX users_tenant_id_idx",),
        lock=Lock.SHARE_UPDATE_EXCLUSIVE,
        transactional=False,
        cleanup="DROP INDEX CONCURRENTLY IF EXISTS users_tenant_id_idx",
    )
    not_null, policy = _enforce()
    steps = (
        _column("users", "users"),
        _column(_ODD_SQL, ODD),
        _backfill(),
        index,
        not_null,
        policy,
        _audit_two(),
    )
    return plan(_tenants(), *steps, _audit(), profile="online")


def _audit_two() -> Change:
    """Together with the audit step: two neighbours of several statements each."""
    return change(
        Phase.AUDIT,
        "audit.second",
        "CREATE TABLE second (id int)",
        "INSERT INTO second VALUES (1)",
        revert=("DROP TABLE second",),
    )


def later() -> Plan:
    """What a later plan may hold: one more table."""
    return plan(_column("later", "later"))


def apply_directly(connection: psycopg.Connection[Any], steps: Plan) -> None:
    """Run the plan's statements one by one as they are: what every migrator must come to."""
    for step in steps:
        for text in step.apply:
            connection.execute(text.encode())


_STATE = """
SELECT 'column', attrelid::regclass::text, attname, format_type(atttypid, atttypmod) || ' ' || attnotnull
FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
UNION ALL SELECT 'function', proname, prosrc, '' FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'policy', polrelid::regclass::text, polname, pg_get_expr(polqual, polrelid) FROM pg_policy
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'table', oid::regclass::text, obj_description(oid), relrowsecurity::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname <> 'alembic_version' AND relkind IN ('r', 'i')
ORDER BY 1, 2, 3, 4
"""


def state(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """What the plans change, and the rows they change it with."""
    found: list[tuple[Any, ...]] = connection.execute(_STATE.encode()).fetchall()
    tables = [row[1] for row in found if row[0] == "table"]
    for table in ("tenants", "users", "second"):
        if table in tables:
            rows = connection.execute(f"SELECT row_to_json(t)::text FROM {table} t ORDER BY 1".encode())
            found += [("row", table, *row) for row in rows]
    return [row for row in found if row[1] not in ("alembic_version", "alembic_version_pkc")]
