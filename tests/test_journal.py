"""The journal: who may see it, who may make it, and its layout."""

import psycopg
import pytest

from tenantry.apply import apply
from tenantry.errors import ApplyError, CatalogError
from tests import runs
from tests.runs import column, do, has_column, plan, query
from tests.servers import Database


@pytest.fixture
def db(db: Database) -> Database:
    do(db, *runs.SCHEMA.split(";\n"))
    return db


# The journal


def test_nobody_else_may_read_or_write_the_journal(db: Database) -> None:
    other = db.role("other")
    do(
        db,
        f"CREATE ROLE {other} LOGIN",
        f"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {other}, PUBLIC",
        f"ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO {other}",
    )
    apply(db.dsn, plan(db, column()))
    granted = (
        "SELECT count(*) FROM pg_class, aclexplode(relacl) WHERE relnamespace = 'tenantry'::regnamespace"
    )
    assert query(db, f"{granted} AND grantee <> relowner") == 0
    assert query(db, f"SELECT has_schema_privilege('{other}', 'tenantry', 'USAGE')") is False
    with pytest.raises(
        CatalogError, match=r"the journal, cannot be read: it belongs to postgres .*connect as its owner"
    ):
        apply(psycopg.conninfo.make_conninfo(db.dsn, user=other), plan(db, column(table="tags")))


def test_a_role_that_may_not_make_the_journal(db: Database) -> None:
    other = db.role("other")
    do(db, f"CREATE ROLE {other} LOGIN", f"ALTER TABLE notes OWNER TO {other}")
    made, dsn = plan(db, column()), psycopg.conninfo.make_conninfo(db.dsn, user=other)
    with pytest.raises(
        ApplyError, match="may not make schemas in it, and the journal and the plan need"
    ) as caught:
        apply(dsn, made)
    do(db, str(caught.value).partition("let its owner run: ")[2].splitlines()[0])
    assert apply(dsn, made).done == 1


def test_a_copy_of_the_schema_alone_has_a_journal_without_history(db: Database) -> None:
    apply(db.dsn, plan(db, column()))
    do(db, "TRUNCATE tenantry.journal_layout, tenantry.plans, tenantry.steps")
    assert apply(db.dsn, plan(db, column(table="tags"))).done == 1
    assert query(db, "SELECT version FROM tenantry.journal_layout") == 1


def test_a_newer_journal_is_refused(db: Database) -> None:
    apply(db.dsn, plan(db, column()))
    do(db, "UPDATE tenantry.journal_layout SET version = 2")
    with pytest.raises(CatalogError, match=r"layout 2 and .* knows layout 1; use the version of Tenantry"):
        apply(db.dsn, plan(db, column(table="tags")))
    assert not has_column(db, "tags")
