"""Whatever the schema: it is converted, found converted and taken back without a row changed, or refused in words."""

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, note, settings

from tenantry import apply, introspect, revert, spec
from tenantry.catalog import Catalog, Constraint, Index
from tenantry.errors import PlanError
from tenantry.names import QName, columns, display, qualified, quote, spell
from tenantry.plan import Profile
from tenantry.planner import plan as make_plan
from tenantry.spec import Spec
from tests import corpus
from tests.catalogs import checked
from tests.schema_model import Made
from tests.schema_strategies import databases
from tests.servers import Database, MakeDatabase, Server

# `HYPOTHESIS_PROFILE=nightly` draws many more databases, others each night, and makes a failure small. The suite
# draws the same ones each time and shows a failure as it is: making it small takes longer than a test may.
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
DRAWN = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
CHOSEN = (
    settings(DRAWN, max_examples=150, derandomize=False, print_blob=True)
    if NIGHTLY
    else settings(DRAWN, max_examples=8, phases=[Phase.generate])
)
PROFILES: tuple[Profile, ...] = ("online", "transactional")

both = pytest.mark.parametrize("many", [False, True], ids=["one tenant", "two tenants"])


@pytest.mark.timeout(7200 if NIGHTLY else 300)
@both
def test_a_schema_goes_there_and_back_or_is_refused(server: Server, many: bool) -> None:
    @CHOSEN
    @given(databases(server.version // 10_000, many=many))
    def holds(made: Made) -> None:
        note(made.sql + made.toml(str))
        with server.databases() as make:
            _check(made, make)

    holds()


@both
def test_most_schemas_are_converted(db: Database, many: bool) -> None:
    """Else the test above would show little."""
    planned: list[bool] = []
    with db.connect() as conn:

        @settings(DRAWN, max_examples=20, phases=[Phase.generate])
        @given(databases(db.server_version // 10_000, many=many))
        def count(made: Made) -> None:
            with conn.transaction(force_rollback=True):
                conn.execute(made.sql.encode())
                before = introspect.read(conn)
            try:
                planned.append(bool(make_plan(spec.parse(made.toml(db.role)), before, "online").steps))
            except PlanError:
                planned.append(False)

        count()
    assert len(planned) >= 20
    assert planned.count(True) >= 0.6 * len(planned)


def _check(made: Made, make: MakeDatabase) -> None:
    db = make()
    with db.connect() as conn:
        conn.execute(made.sql.encode())
    dbs: dict[Profile, Database] = {"online": db, "transactional": make(template=db)}
    before = _catalog(db)
    checked(before)
    specs = {profile: spec.parse(made.toml(db.role)) for profile, db in dbs.items()}
    try:
        plans = {profile: make_plan(specs[profile], _catalog(db), profile) for profile, db in dbs.items()}
    except PlanError as error:
        event("refused")
        _check_refusal(error, before)
        return
    event("converted")
    rows = _rows(db, before, specs["online"])
    for profile, db in dbs.items():
        apply.apply(db.dsn, plans[profile])
    after = {profile: _catalog(db) for profile, db in dbs.items()}
    assert _whole(after["online"]) == _whole(after["transactional"])
    for profile, db in dbs.items():
        _check_converted(made, db, specs[profile], before, after[profile])
        assert _rows(db, before, specs[profile]) == rows
    for profile, db in dbs.items():
        done = revert.revert(db.dsn)
        assert done.restored
        assert done.left <= sum(
            step.id.endswith(".analyze") for step in plans[profile]
        )  # of tables without rows
        assert _whole(_catalog(db)) == _whole(before)
        assert _rows(db, before, specs[profile]) == rows


def _check_converted(made: Made, db: Database, found: Spec, before: Catalog, after: Catalog) -> None:
    assert [make_plan(found, after, profile).steps for profile in PROFILES] == [(), ()]
    _check_tenants(made, db, after, found)
    tenant = _tenant_columns(after, found)
    for name, column in tenant.items():
        old, new = before.by_name[name], after.by_name[name]
        assert (new.row_security, new.forced) == (True, True)
        for index in old.indexes:
            assert any(_serves(i, index, column) for i in new.indexes), index.name
        for fk in old.foreign_keys:
            assert any(_says(k, fk, column, tenant) for k in new.foreign_keys), fk.name


def _serves(new: Index, old: Index, column: str) -> bool:
    """True for an index that does what an old one did, now within a tenant if that was a key."""
    leads = (
        [new.keys, new.keys[1:]]
        if new.keys[0].column == column and old.unique | old.exclusion
        else [new.keys]
    )
    same = (new.include, new.predicate, new.nulls_not_distinct, new.unique, new.exclusion) == (
        old.include, old.predicate, old.nulls_not_distinct, old.unique, old.exclusion
    )  # fmt: skip
    return new.valid and same and old.keys in leads and new.primary >= old.primary


def _says(new: Constraint, old: Constraint, column: str, tenant: dict[QName, str]) -> bool:
    """True for a foreign key that does what an old one did, and names the tenant where it can."""
    pairs, others = (list(zip(k.columns, k.referenced, strict=True)) for k in (new, old))
    if new.references in tenant and (column, tenant[new.references]) not in others:
        others.insert(0, (column, tenant[new.references]))
    same = (new.references, new.on_update, new.on_delete, new.deferrable, new.deferred, new.validated) == (
        old.references, old.on_update, old.on_delete, old.deferrable, old.deferred, old.validated
    )  # fmt: skip
    return same and new.enforced == old.enforced and pairs == others


def _check_refusal(error: PlanError, before: Catalog) -> None:
    """Each problem is a sentence that names an object first, and ends with what to do."""
    note("\n".join(error.problems))
    names = {text for t in before.tables for text in (spell(t.qname), display(t.qname))}
    assert error.problems
    for problem in error.problems:
        assert problem.startswith((*(f"{name}: " for name in names), "[tenancy", "backfill: ")), problem
        assert "; " in problem, problem


def _check_tenants(made: Made, db: Database, after: Catalog, found: Spec) -> None:
    """Every row of a tenant table has the tenant that it was drawn for."""
    tenants, key = qualified(found.tenancy.tenants), quote(found.tenancy.key)
    with db.connect() as conn:
        for name, column in _tenant_columns(after, found).items():
            slug = f"(SELECT k.slug FROM {tenants} k WHERE k.{key} = t.{quote(column)})"
            wrong = f"SELECT * FROM {qualified(name)} t WHERE {slug} IS DISTINCT FROM {made.tenant_of}"
            assert conn.execute(wrong.encode()).fetchall() == [], name


def _catalog(db: Database) -> Catalog:
    with db.connect() as conn:
        return introspect.read(conn)


def _whole(catalog: Catalog) -> Any:
    """All of a catalog, less which of several keys over the same columns a foreign key stands on.

    And less how a partition calls its part of an index on an expression: the server makes that name of the
    expression's parse tree, which nobody else sees.
    """
    whole = corpus.everything(catalog)
    for table in whole["tables"]:
        for index in table["indexes"]:
            if index["parent"] and any(key["expression"] for key in index["keys"]):
                index["name"] = ""
        table["indexes"].sort(key=json.dumps)
        for constraint in table["constraints"]:
            del constraint["referenced_index"]
    return whole


def _tenant_columns(catalog: Catalog, found: Spec) -> dict[QName, str]:
    """The tenant column of each tenant table, and of those under it, which have that of the table above."""
    own = {n: r.column or found.tenancy.column for n, r in found.tables.items() if r.scope == "tenant"}
    under = {table.qname: column for n, column in own.items() for table in catalog.descendants(n)}
    return own | under


def _rows(db: Database, before: Catalog, found: Spec) -> dict[QName, list[str]]:
    """The rows of each table as they were at first, without the tenant column."""
    tenant = _tenant_columns(before, found)
    rows = {}
    with db.connect() as conn:
        for table in before.tables:
            own = [c.name for c in table.columns if c.name != tenant.get(table.qname)]
            query = f"SELECT to_jsonb(r)::text FROM (SELECT {columns(own)} FROM {qualified(table.qname)}) r ORDER BY 1"
            rows[table.qname] = [text for (text,) in conn.execute(query.encode())]
    return rows
