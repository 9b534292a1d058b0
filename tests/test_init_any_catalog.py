"""Whatever a catalog holds, its draft is a spec that mentions every table."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tenantry import names
from tenantry.catalog import Catalog, Column, Constraint, Index, Key, Policy, Table
from tenantry.errors import SpecError
from tenantry.names import QName
from tests.catalogs import catalog, checked, role, trigger

word = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=10)
known = st.sampled_from(
    [
        "tenants",
        "organizations",
        "accounts",
        "users",
        "sessions",
        "countries",
        "audit_logs",
        "alembic_version",
    ]
)
table_names = known | word
column_names = st.sampled_from(["id", "tenant_id", "tenantId", "organization_id", "email", "code"]) | word
types = st.sampled_from(["text", "uuid", "bigint", "timestamp with time zone", "character(3)"])


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    found = draw(st.lists(table_names, min_size=1, max_size=6, unique=True))
    return catalog(
        *[draw(tables(name, found)) for name in found],
        roles=tuple(role(n) for n in draw(st.sets(st.just("app_user") | word, max_size=2))),
    )


@st.composite
def tables(draw: st.DrawFn, name: str, others: list[str]) -> Table:
    columns = [
        Column(c, t, t, draw(st.booleans()), draw(st.none() | word))
        for c in draw(st.lists(column_names, min_size=1, max_size=5, unique=True))
        for t in [draw(types)]
    ]
    some = st.lists(st.sampled_from([c.name for c in columns]), min_size=1, max_size=2, unique=True).map(
        tuple
    )
    keys = draw(st.dictionaries(word, some, max_size=3))
    constraints = [Constraint("pk", "primary", draw(some), "", index="pk")] if draw(st.booleans()) else []
    constraints += [
        Constraint(
            n, "foreign", cols, "", references=QName("public", target), referenced=("id", "b")[: len(cols)]
        )
        for n, cols in draw(st.dictionaries(word, some, max_size=3)).items()
        for target in [draw(st.sampled_from(others))]
    ]
    return Table(
        "public", name, draw(st.sampled_from(["table", "partitioned", "foreign"])), "me", tuple(columns),
        constraints=tuple(constraints),
        indexes=tuple(
            Index(n, "btree", tuple(Key(c) for c in cols), unique=True, predicate=draw(st.none() | word))
            for n, cols in keys.items()
        ),
        policies=tuple(Policy(n, True, "all", (), n, None) for n in draw(st.sets(word, max_size=2))),
        triggers=tuple(trigger(n) for n in draw(st.sets(word, max_size=2))),
        partition_of=draw(st.none() | st.sampled_from(others).map(lambda n: QName("public", n))),
        parents=tuple(QName("public", n) for n in draw(st.sets(st.sampled_from(others), max_size=1))),
        extension=draw(st.none() | word),
        rows=draw(st.integers(0, 10**9)), bytes=draw(st.integers(0, 10**15)),
    )  # fmt: skip


@given(catalogs())
@settings(max_examples=150, deadline=None)
def test_whatever_the_catalog_the_draft_is_a_spec(made: Catalog) -> None:
    checked(made)
    for t in made.tables:
        try:
            checked(made, tenants=names.spell(t.qname))
        except SpecError as error:
            assert "--tenants: " in str(error)  # noqa: PT017  # any other SpecError is a draft that is no spec
