"""Recognising a tenancy where somebody stands in the way, a key cannot be read, or a claim is no identity."""

from collections.abc import Iterator, Mapping

import pytest

from tenantry import introspect
from tenantry.attacks.lab import How
from tenantry.errors import CatalogError
from tenantry.finding import Mode, Outcome, Proof
from tenantry.prove import examine
from tenantry.report.proof import to_text
from tests.servers import Database, Server
from tests.test_prove_undeclared import NOW, Case, breached, made, untold

pytestmark = pytest.mark.usefixtures("sound_server")

# The tenants are small numbers; who may read is said beside, in words that a boolean or a number is made of.
NUMBERS = """
CREATE TABLE shops (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE goods (id integer PRIMARY KEY, shop_id integer NOT NULL REFERENCES shops, name text NOT NULL);
CREATE TABLE plans (id integer PRIMARY KEY, shop_id integer NOT NULL REFERENCES shops, name text NOT NULL);
CREATE INDEX ON goods (shop_id);
CREATE INDEX ON plans (shop_id);
ALTER TABLE goods ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE plans ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON goods USING (shop_id = nullif(current_setting('app.shop', true), '')::integer);
CREATE POLICY own ON plans FOR SELECT USING (shop_id = nullif(current_setting('app.shop', true), '')::integer);
INSERT INTO shops SELECT n, 'shop' FROM generate_series(1, 2) n;
INSERT INTO goods SELECT n, 1 + n % 2, 'g' FROM generate_series(1, 4) n;
INSERT INTO plans SELECT n, 1 + n % 2, 'p' FROM generate_series(1, 4) n;
GRANT SELECT, INSERT, UPDATE, DELETE ON goods, plans TO {app};
"""


@pytest.fixture(scope="module")
def shops(server: Server) -> Iterator[Case]:
    """A database in which every sabotage is undone."""
    with server.databases() as make:
        yield made(make(), NUMBERS)


def of(proof: Proof, table: str) -> Mapping[str, Outcome]:
    return {o.attack: o for o in proof.outcomes if o.object == table}


# Somebody stands in the way


def test_a_table_that_somebody_locks_does_not_hang_the_recognition(shops: Case) -> None:
    with shops.db.connect() as connection:
        catalog = introspect.read(connection)
    with shops.db.connect(autocommit=False) as other:
        other.execute("LOCK TABLE shops IN ACCESS EXCLUSIVE MODE")
        proof = examine(shops.db.dsn, None, catalog, app_role=shops.app, now=NOW)
    assert not proof.proven
    assert of(proof, "goods")["read"].status == "held"
    found = of(proof, "shops")
    assert {o.status for o in found.values()} == {"error"}
    assert all("55P03" in o.detail for o in found.values())


def test_policies_that_cannot_be_read_end_it(shops: Case) -> None:
    with shops.db.connect() as connection:
        catalog = introspect.read(connection)
    with shops.db.connect(autocommit=False) as other:
        other.execute("LOCK TABLE goods IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(CatalogError, match=r"policies cannot be read: .* lock timeout; wait for the DDL"):
            examine(shops.db.dsn, None, catalog, app_role=shops.app, now=NOW)


# A claim is no identity


@pytest.mark.parametrize(
    "beside",
    [
        "coalesce(nullif(current_setting('app.staff', true), ''), 'false')::boolean",
        "nullif(current_setting('app.staff', true), '')::smallint = 7",
        "nullif(current_setting('app.staff', true), '')::integer > 0",
    ],
)
@pytest.mark.parametrize("way", ["OR", "AND"])
def test_a_claim_that_fails_on_a_cast_is_no_identity(shops: Case, beside: str, way: str) -> None:
    policy = "ALTER POLICY own ON goods USING ({})"
    own = "shop_id = nullif(current_setting('app.shop', true), '')::integer"
    shops.run(policy.format(f"{own} {way} {beside}"))
    proof = shops.proven()
    shops.run(policy.format(own))
    assert not proof.proven
    assert "app.staff" in untold(proof).get("goods", ""), to_text(proof)


# What no policy lets anybody do

CLOSED = ("update", "delete", "lock", "insert", "move")


@pytest.mark.parametrize("mode", ["safe", "full"])
def test_what_no_policy_lets_anybody_do_is_held(shops: Case, mode: Mode) -> None:
    proof = shops.proven(How(mode))
    assert proof.proven, to_text(proof)
    found = of(proof, "plans")
    for attack in CLOSED:
        assert (found[attack].status, found[attack].control_fired) == ("held", True), attack
        assert found[attack].detail.startswith(f"no policy lets {shops.app} do this")
    assert not of(proof, "goods")["update"].detail


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        ("FOR UPDATE USING (false)", "held"),
        ("FOR ALL TO {keeper} USING (true)", "held"),
        ("AS RESTRICTIVE FOR ALL USING (true)", "held"),
        ("FOR UPDATE USING (shop_id < 0)", "error"),  # that it lets nobody is not known
        ("FOR UPDATE USING (shop_id = 2)", "breached"),
        ("FOR UPDATE USING (true)", "breached"),
    ],
)
@pytest.mark.parametrize("mode", ["safe", "full"])
def test_a_policy_that_lets_anybody_do_it_is_told_apart(
    shops: Case, policy: str, status: str, mode: Mode
) -> None:
    shops.run(f"CREATE POLICY more ON plans {policy}")
    proof = shops.proven(How(mode))
    shops.run("DROP POLICY more ON plans")
    assert of(proof, "plans")["update"].status == status, to_text(proof)
    assert proof.proven == (status == "held")


def test_what_no_policy_lets_anybody_do_needs_rows(db: Database) -> None:
    case = made(db, NUMBERS)
    case.run("TRUNCATE plans")
    found = of(case.proven(), "plans")
    assert {found[a].status for a in CLOSED} == {"error"}


def test_a_table_that_nobody_can_use_is_no_evidence(shops: Case) -> None:
    shops.run("ALTER POLICY own ON plans TO {keeper}")
    found = of(shops.proven(), "plans")
    shops.run("ALTER POLICY own ON plans TO PUBLIC")
    assert {found[a].status for a in ("read", *CLOSED)} == {"error"}


def test_a_table_that_is_only_written_is_held(shops: Case) -> None:
    shops.run(
        "CREATE POLICY adding ON plans FOR INSERT WITH CHECK (shop_id = nullif(current_setting('app.shop', true), '')::integer)",
        "ALTER POLICY own ON plans TO {keeper}",
    )
    proof = shops.proven(How("full"))
    shops.run("DROP POLICY adding ON plans", "ALTER POLICY own ON plans TO PUBLIC")
    assert proof.proven, to_text(proof)
    found = of(proof, "plans")
    assert found["read"].detail.startswith(f"no policy lets {shops.app} do this")
    assert not found["insert"].detail


# A restrictive policy keeps tenants apart where a permissive one lets everybody in

APART = (
    "ALTER POLICY own ON goods USING (true)",
    "CREATE POLICY apart ON goods AS RESTRICTIVE USING (shop_id = nullif(current_setting('app.shop', true), '')::integer)",
)
TOGETHER = (
    "DROP POLICY apart ON goods",
    "ALTER POLICY own ON goods USING (shop_id = nullif(current_setting('app.shop', true), '')::integer)",
)


@pytest.mark.parametrize(
    ("more", "untold_", "breaches"),
    [
        ((), False, False),
        (("CREATE POLICY beside ON goods AS RESTRICTIVE USING (current_user <> 'x')",), False, False),
        (("ALTER POLICY apart ON goods USING (shop_id = nullif(current_setting('app.shop', true), '')::integer OR current_setting('app.staff', true) = 'on')",), True, False),
        (("ALTER POLICY apart ON goods USING (shop_id = nullif(current_setting('app.shop', true), '')::integer OR name <> '')",), False, True),
        (("ALTER POLICY apart ON goods TO {keeper}",), False, True),
    ],
)  # fmt: skip
def test_a_restrictive_policy_keeps_tenants_apart(
    shops: Case, more: tuple[str, ...], untold_: bool, breaches: bool
) -> None:
    shops.run(*APART, *more)
    proof = shops.proven()
    shops.run(*TOGETHER)
    if any("beside" in statement for statement in more):
        shops.run("DROP POLICY beside ON goods")
    assert proof.proven == (not untold_ and not breaches), to_text(proof)
    assert ("app.staff" in untold(proof).get("goods", "")) == untold_
    assert ("read goods" in breached(proof)) == breaches, to_text(proof)


def test_a_key_of_which_nobody_can_be_made_up_is_said(db: Database) -> None:
    case = made(db, """
CREATE TYPE firm AS ENUM ('acme', 'beta');
CREATE TABLE docs (id int PRIMARY KEY, firm firm NOT NULL);
ALTER TABLE docs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON docs USING (firm = nullif(current_setting('app.firm', true), '')::firm);
INSERT INTO docs VALUES (1, 'acme'), (2, 'beta');
GRANT SELECT ON docs TO {app};
""")  # fmt: skip
    proof = case.proven()
    assert not proof.proven
    assert (
        untold(proof)["database"]
        == "docs: its key is public.firm, and no id can be made up that no tenant has"
    )
