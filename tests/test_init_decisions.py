"""What init decides about one table and its keys, and what it asks."""

import re
import tomllib
from dataclasses import replace
from typing import Any

import pytest

from tenantry import init
from tenantry.catalog import Column, Index, Key, Policy, Role, Table, Trigger, View
from tenantry.errors import SpecError
from tenantry.steps import audit
from tests.catalogs import (
    ORGS,
    USERS,
    catalog,
    checked,
    column,
    comments,
    drafted,
    of_org,
    role,
    table,
    trigger,
)

# Scope and source where tenants are there


def sources(*tables: Table) -> dict[str, Any]:
    made = drafted(ORGS, *tables, *(of_org(f"filler_{n}") for n in range(9)))["tables"]
    return {t.name: made[t.name] for t in tables}


def test_a_filled_column_needs_no_source_and_an_open_one_is_asked_about() -> None:
    found = sources(of_org("full"), table("open", "id uuid!", "organization_id uuid"))
    assert found == {"full": {"scope": "tenant"}, "open": {"scope": "tenant", "backfill": "undecided"}}


def test_two_tenant_columns_are_asked_about() -> None:
    both = table("both", "id uuid!", "organization_id uuid!", "organizationId uuid!")
    assert sources(both) == {"both": {"scope": "undecided"}}
    text = comments(init.draft(catalog(ORGS, both, *(of_org(f"f{n}") for n in range(9)))).text, "both")
    assert 'column = "organization_id"' in text
    assert 'column = "organizationId"' in text


def test_a_column_of_another_type_is_asked_about() -> None:
    assert sources(table("a", "id uuid!", "organization_id text!")) == {"a": {"scope": "undecided"}}


def test_a_reference_by_another_name_is_asked_about() -> None:
    odd = table("odd", "id uuid!", "invited_by uuid!", fk={"invited_by": "organizations"})
    assert sources(odd) == {"odd": {"scope": "undecided"}}


def test_one_sure_parent_is_the_source() -> None:
    found = sources(
        of_org("projects"),
        table("tasks", "id uuid!", "p uuid!", fk={"p": "projects"}),
        table("comments", "id uuid!", "t uuid!", fk={"t": "tasks"}),
    )
    assert found["tasks"] == {"scope": "tenant", "backfill": {"parent": "projects"}}
    assert found["comments"] == {"scope": "tenant", "backfill": {"parent": "tasks"}}


def test_a_parent_that_may_be_missing_is_asked_about() -> None:
    loose = table("loose", "id uuid!", "p uuid", fk={"p": "projects"})
    strict = table("strict", "id uuid!", "p uuid!", fk={"p": "projects"})
    fk = strict.foreign_keys[0]
    unchecked = replace(
        strict, name="unchecked", constraints=(strict.constraints[0], replace(fk, validated=False))
    )
    found = sources(of_org("projects"), loose, strict, unchecked)
    assert found["strict"]["backfill"] == {"parent": "projects"}
    assert found["loose"]["backfill"] == found["unchecked"]["backfill"] == "undecided"


def test_several_parents_are_asked_about_with_their_columns() -> None:
    tables = [of_org("projects"), of_org("people"),
              table("tasks", "id uuid!", "p uuid!", "made_by uuid!", "done_by uuid!",
                    fk={"p": "projects", "made_by": "people", "done_by": "people"})]  # fmt: skip
    assert sources(*tables)["tasks"] == {"scope": "tenant", "backfill": "undecided"}
    text = comments(init.draft(catalog(ORGS, *tables, *(of_org(f"f{n}") for n in range(9)))).text, "tasks")
    for choice in (
        '{ parent = "projects" }',
        '{ parent = "people", on = { made_by = "id" } }',
        '{ parent = "people", on = { done_by = "id" } }',
    ):
        assert f"backfill = {choice}" in text


def test_a_parent_only_by_way_of_the_child_is_none() -> None:
    a = table("a", "id uuid!", "b uuid!", "p uuid!", fk={"b": "b", "p": "projects"})
    b = table("b", "id uuid!", "a uuid!", fk={"a": "a"})
    itself = table("tree", "id uuid!", "above uuid!", "p uuid!", fk={"above": "tree", "p": "projects"})
    found = sources(of_org("projects"), a, b, itself)
    assert found["a"]["backfill"] == {"parent": "projects"}
    assert found["b"]["backfill"] == {"parent": "a"}
    assert found["tree"]["backfill"] == {"parent": "projects"}


def test_a_table_in_doubt_is_no_parent() -> None:
    sessions = table("sessions", "token text!", "p uuid!", pk="token", fk={"p": "projects"})
    hits = table("hits", "id uuid!", "s text!", fk={"s": "sessions.token"})
    found = sources(of_org("projects"), sessions, hits)
    assert found["sessions"] == found["hits"] == {"scope": "undecided"}


def test_a_table_without_a_way_to_a_tenant_is_asked_about_and_mappings_are_offered() -> None:
    people = table("people", "id uuid!", "email text")
    members = of_org("members", "person uuid!", fk={"person": "people"})
    assert sources(people, members)["people"] == {"scope": "undecided"}
    made = catalog(ORGS, people, members, *(of_org(f"f{n}") for n in range(9)))
    mapping = '{ mapping = "members", on = { id = "person" }, tenant = "organization_id" }'
    said = comments(init.draft(made).text, "people")
    assert f"backfill = {mapping}" in said
    assert "the one tenant that members gives it; refused where it gives a row several" in said


def test_a_choice_is_never_broken() -> None:
    """Its line is uncommented as it is."""
    name = "members_of_the_organizations_that_are_invited_by_others"
    people = table("people", "id uuid!", "email text")
    members = of_org(name, "person_that_was_invited uuid!", fk={"person_that_was_invited": "people"})
    text = init.draft(catalog(ORGS, people, members, *(of_org(f"f{n}") for n in range(9)))).text
    (line,) = [line for line in text.splitlines() if "mapping =" in line]
    assert tomllib.loads(line.removeprefix("#"))["backfill"]["tenant"] == "organization_id"


def test_a_parent_in_a_partition_is_its_root() -> None:
    root = of_org("events", kind="partitioned")
    part = replace(root, name="events_1", kind="table", partition_of=root.qname, constraints=())
    child = table("child", "id uuid!", "e uuid!", fk={"e": "events_1"})
    found = sources(root, child)
    made = drafted(ORGS, root, part, child, *(of_org(f"f{n}") for n in range(9)))["tables"]
    assert "events_1" not in made
    assert made["child"]["backfill"] == {"parent": "events", "on": {"e": "id"}}
    assert found["events"] == {"scope": "tenant"}


# Keys, policies, triggers


def test_keys_that_nothing_generates_are_asked_about() -> None:
    tables = [
        table("uuids", "id uuid!"),
        table("serials", "id bigint! = nextval('s'::regclass)"),
        table("random", "id text! = (gen_random_uuid())::text"),
        replace(
            table("identities", "id bigint!"), columns=(Column("id", "bigint", "bigint", True, identity="a"),)
        ),
        table("texts", "id text!"),
        table("singleton", "id text! = 'default'::text"),
        table("follower", "t text!", "n int!", pk="t n", fk={"t": "texts"}),
        table("one", "id text!", fk={"id": "two"}),
        table("two", "id text!", fk={"id": "one"}),
        table("none", "line text", pk=""),
    ]
    for t in tables:
        tables[tables.index(t)] = replace(t, columns=(*t.columns, column("at timestamptz")))
    made = drafted(*tables)["tables"]
    assert {name for name, t in made.items() if t.get("primary_key") == "undecided"} == {
        "texts", "singleton", "one", "two",
    }  # fmt: skip
    text = init.draft(catalog(*tables)).text
    assert "Primary key (id text): nothing generates it" in comments(text, "texts")
    assert "every row that gives none gets the same value" in comments(text, "singleton")
    assert "no primary key" in comments(text, "none")


def test_a_key_of_a_shared_parent_does_not_follow_it() -> None:
    kinds = table("kinds", "id uuid!", "name text", rows=5)
    prices = table(
        "prices", "kind uuid!", "level int!", "at timestamptz", pk="kind level", fk={"kind": "kinds"}
    )
    made = drafted(
        kinds, replace(prices, columns=(replace(prices.columns[0], base="text"), *prices.columns[1:]))
    )
    assert made["tables"]["kinds"]["scope"] == "undecided"
    assert made["tables"]["prices"]["primary_key"] == "undecided"


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("email", True), ("user_email", True), ("emailAddress", True), ("login", True), ("key_hash", True),
        ("api_key", True), ("subdomain", True), ("provider_account_id", True), ("session_id", True),
        ("slug", False), ("key", False), ("hash", False), ("number", False), ("monkey", False), ("mailbox", False),
    ],
)  # fmt: skip
def test_a_key_that_sounds_like_a_look_up_is_asked_about(name: str, asked: bool) -> None:
    made = drafted(USERS, table("a", "id uuid!", f"{name} text", "at timestamptz", unique=name))
    assert made["tables"]["a"]["unique"] == {f"a_{name}_key": "undecided" if asked else "tenant"}


def test_every_kind_of_unique_key_is_decided() -> None:
    base = of_org("a", "slug text", "email text", "room int")
    indexes = (
        *base.indexes,
        Index("with_tenant", "btree", (Key("organization_id"), Key("slug")), unique=True),
        Index("partial", "btree", (Key("slug"),), unique=True, predicate="(room IS NULL)"),
        Index("lower_email", "btree", (Key(None, "lower(email)"),), unique=True),
        Index("rooms", "gist", (Key("room", operator="OPERATOR(pg_catalog.=)"),), exclusion=True),
        Index("broken", "btree", (Key("slug"),), unique=True, valid=False),
        Index("plain", "btree", (Key("slug"),)),
    )
    (found,) = sources(replace(base, indexes=indexes)).values()
    assert found["unique"] == {"partial": "tenant", "lower_email": "undecided", "rooms": "tenant"}


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        (trigger("t"), True),
        (trigger("t", enabled="A"), True),
        (trigger("t", enabled="D"), False),
        (trigger("t", enabled="R"), False),
        (trigger("t", events=("insert", "delete")), False),
        (trigger("t", update_columns=("id",)), False),
        (trigger("t", inherited=True), False),
    ],
)
def test_triggers_that_fire_on_the_backfill_are_asked_about(made: Trigger, asked: bool) -> None:
    open_ = table("open", "id uuid!", "organization_id uuid")
    at = replace(open_, triggers=(made,))
    assert sources(at)["open"].get("triggers") == ("undecided" if asked else None)
    below = replace(at, name="open_2", parents=(at.qname,))
    assert drafted(ORGS, open_, below, *(of_org(f"filler_{n}") for n in range(9)))["tables"]["open"].get(
        "triggers"
    ) == ("undecided" if asked else None)
    # All rows are one tenant's, in a column that no trigger knows of.
    one = drafted(replace(USERS, triggers=(made,)))["tables"]["users"]
    assert one.get("triggers") == ("disable" if asked else None)


def test_a_key_that_a_view_depends_on_stays() -> None:
    orders = table("orders", "id text!", "at timestamptz")
    assert drafted(orders)["tables"]["orders"]["primary_key"] == "undecided"
    assert orders.primary_key is not None
    key = (orders.qname, orders.primary_key.name)
    seen = View("public", "seen", False, "postgres", False, (orders.qname,), (key,))
    made = replace(catalog(orders), views=(seen,))
    assert checked(made)["tables"]["orders"]["primary_key"] == "global"
    assert "must stay as it is: seen" in init.draft(made).text
    # Made of another table's key, it would follow that one.
    lines = table("lines", "id text!", "at timestamptz", fk={"id": "orders"})
    assert lines.primary_key is not None
    key = (lines.qname, lines.primary_key.name)
    made = replace(catalog(orders, lines), views=(replace(seen, keys=(key,)),))
    assert {n: t["primary_key"] for n, t in checked(made)["tables"].items()} == {
        "orders": "undecided",
        "lines": "global",
    }


def test_triggers_matter_only_where_rows_are_filled() -> None:
    found = sources(of_org("filled", triggers=(trigger("t"),)))
    assert found == {"filled": {"scope": "tenant"}}


def test_policies_are_asked_about_but_for_our_own_and_those_that_cannot_stay() -> None:
    policies = (
        Policy("everybody", True, "all", (), "true", None),
        Policy("staff", True, "all", ("staff",), "true", None),
        Policy("narrow", False, "all", (), "true", None),
        Policy("tenant_isolation", True, "all", (), "true", None),
    )
    said = {"everybody": "drop", "staff": "undecided", "narrow": "undecided"}
    assert drafted(replace(USERS, policies=policies))["tables"]["users"]["policies"] == said
    # Where it is not sure that the table is isolated, all are open.
    sessions = replace(table("sessions", "token text!"), policies=policies)
    open_ = drafted(sessions)["tables"]["sessions"]
    assert (open_["scope"], set(open_["policies"].values())) == ("undecided", {"undecided"})
    there = drafted(replace(ORGS, policies=policies), *(of_org(f"f{n}") for n in range(9)))
    assert there["tenancy"]["policies"] == said


# What is not converted, roles, and the trail


def test_what_is_left_alone_says_why() -> None:
    made = drafted(
        USERS,
        table("alembic_version", "version_num text!", pk="version_num"),
        table("spatial", "id int!", extension="postgis"),
        table("remote", "id int", pk="", kind="foreign"),
    )["tables"]
    assert {name: t["reason"] for name, t in made.items() if t["scope"] == "ignored"} == {
        "alembic_version": "bookkeeping of a migrator",
        "spatial": "belongs to extension postgis",
        "remote": "a foreign table; row level security does not reach it",
    }


def test_schemas_are_public_or_those_that_hold_tables_or_those_asked_for() -> None:
    here, there, far = USERS, replace(USERS, schema="sales"), replace(USERS, schema="crm")
    assert drafted(here, there)["tenancy"]["schemas"] == ["public"]
    assert drafted(there, far)["tenancy"]["schemas"] == ["crm", "sales"]
    made = checked(catalog(here, there, far), schemas=("sales",))
    assert made["tenancy"]["schemas"] == ["sales"]
    assert made["tenancy"]["tenants"] == "sales.tenants"
    assert list(made["tables"]) == ["sales.users"]
    text = init.draft(catalog(here, there, far), schemas=("sales",)).text
    assert "# - schemas crm (1 table), public (1 table)" in text
    with pytest.raises(SpecError, match="schema nowhere: not in database shop"):
        init.draft(catalog(here), schemas=("nowhere",))


def test_a_taken_trail_is_commented_out_with_the_reason() -> None:
    ours = table("audit_logs", *(f"{c} text" for c in audit.COLUMNS))
    theirs = table("audit_logs", "id uuid!", "what text", "at timestamptz")
    made = drafted(USERS, ours)
    assert made["audit"] == {"table": "audit_logs"}
    assert "audit_logs" not in made["tables"]
    made = drafted(USERS, theirs)
    assert "audit" not in made
    assert made["tables"]["audit_logs"]["scope"] == "tenant"
    text = init.draft(catalog(USERS, theirs)).text
    assert "# The name audit_logs is taken without column actor_id, tenant_id, action" in text
    assert '# [audit]\n# table = "tenancy_audit_logs"' in text


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ([], "app_user is made"),
        ([role("app_user")], "app_user is there already."),
        ([role("app_user", superuser=True)], "would not bind it: it is a superuser."),
        ([role("app_user", bypass_rls=True)], "it has BYPASSRLS."),
        ([role("app_user", member_of=("boss",)), role("boss", superuser=True)], "a superuser through boss."),
        ([role("app_user", member_of=("me",)), role("me")], "it owns 1 of the tables below, or may become"),
    ],
)
def test_the_application_role_is_looked_at(roles: list[Role], words: str) -> None:
    text = init.draft(catalog(USERS, roles=tuple(roles))).text
    assert words in re.sub(r"\n# ", " ", text.split("[roles]")[0])
