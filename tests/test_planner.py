"""The planner: the same plan for the same inputs, every problem at once, and steps that say what they do and lock."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tenantry import introspect, planner, spec
from tenantry.apply import apply
from tenantry.catalog import Catalog, Policy, Role
from tenantry.errors import Drift, PlanError
from tenantry.plan import Backfill, Change, Lock, Phase, Plan, Profile
from tenantry.spec import Spec
from tests import corpus, reference
from tests.catalogs import catalog, column, table
from tests.corpus import Case
from tests.servers import Database, MakeDatabase

PROFILES: tuple[Profile, ...] = ("online", "transactional")
every_profile = pytest.mark.parametrize("profile", PROFILES)

TOML = """
[tenancy.default]
id = "first"
name = "First"
slug = "first"
"""


def tenant(name: str, backfill: str = '{ constant = "first" }', rest: str = "") -> str:
    return f'[tables.{name}]\nscope = "tenant"\nbackfill = {backfill}\n{rest}\n'


def refusal(toml: str, found: Catalog, profile: Profile = "online") -> PlanError:
    with pytest.raises(PlanError) as caught:
        planner.plan(spec.parse(toml), found, profile)
    return caught.value


@pytest.fixture(scope="module")
def inputs(server: Any) -> Iterator[tuple[Spec, Catalog]]:
    """Spec and catalog of the reference application, read once."""
    with server.databases() as make:
        db = make()
        reference.load(db)
        yield reference.declared(), reference.catalog(db)


# The same inputs, the same bytes


@every_profile
def test_the_same_inputs_give_the_same_bytes(inputs: tuple[Spec, Catalog], profile: Profile) -> None:
    declared, found = inputs
    first = planner.plan(declared, found, profile).to_json()
    assert planner.plan(declared, found, profile).to_json() == first
    assert planner.plan(reference.declared(), Catalog.from_json(found.to_json()), profile).to_json() == first


_OFFLINE = """
import sys
from pathlib import Path
from tenantry import planner, spec
from tenantry.catalog import Catalog
catalog = Catalog.from_json(Path(sys.argv[2]).read_text(encoding="utf-8"))
plan = planner.plan(spec.load(Path(sys.argv[1])), catalog, sys.argv[3])
sys.stdout.buffer.write(plan.to_json().encode())
"""


@every_profile
def test_a_plan_made_offline_in_another_process_is_the_same(
    inputs: tuple[Spec, Catalog], profile: Profile, tmp_path: Path
) -> None:
    declared, found = inputs
    saved = tmp_path / "catalog.json"
    saved.write_text(found.to_json(), encoding="utf-8")
    expected = planner.plan(declared, found, profile).to_json()
    for seed in ("1", "2"):  # the order of a set of texts depends on it
        command = [
            sys.executable,
            "-c",
            _OFFLINE,
            str(reference.EXAMPLE / "tenantry.toml"),
            str(saved),
            profile,
        ]
        done = subprocess.run(
            command, capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        assert done.stdout.decode() == expected


def test_the_order_of_tables_in_the_spec_does_not_matter(inputs: tuple[Spec, Catalog]) -> None:
    declared, found = inputs
    turned = declared.model_copy(update={"tables": dict(reversed(list(declared.tables.items())))})
    assert (
        planner.plan(turned, found, "online").to_json() == planner.plan(declared, found, "online").to_json()
    )


@every_profile
def test_a_plan_survives_its_saved_form(inputs: tuple[Spec, Catalog], profile: Profile) -> None:
    made = planner.plan(*inputs, profile)
    read = Plan.from_json(made.to_json())
    assert read == made
    assert read.to_json() == made.to_json()
    assert read.digest == made.digest


def test_what_is_not_fingerprinted_does_not_change_the_steps(inputs: tuple[Spec, Catalog]) -> None:
    declared, found = inputs
    other = replace(found, tables=tuple(replace(t, rows=7, bytes=8) for t in found.tables))
    plans = [planner.plan(declared, c, "online") for c in (found, other)]
    assert plans[0].catalog_digest == plans[1].catalog_digest
    assert [(s.id, s.apply) for s in plans[0]] == [(s.id, s.apply) for s in plans[1]]
    assert plans[0] != plans[1]  # the estimates


# Ids and phases


@every_profile
def test_ids_are_unique_and_name_their_phase(inputs: tuple[Spec, Catalog], profile: Profile) -> None:
    made = planner.plan(*inputs, profile)
    assert [i for i, n in Counter(s.id for s in made).items() if n > 1] == []
    assert [s.id for s in made if not s.id.startswith(f"{s.phase}.")] == []


@every_profile
def test_ids_do_not_depend_on_other_tables(inputs: tuple[Spec, Catalog], profile: Profile) -> None:
    declared, found = inputs
    before = {s.id for s in planner.plan(declared, found, profile)}
    more = replace(
        found, tables=tuple(sorted([*found.tables, table("aaa", "id uuid!")], key=lambda t: t.qname))
    )
    rule = spec.parse(tenant("aaa", f'{{ constant = "{reference.DEFAULT}" }}')).tables
    wider = declared.model_copy(update={"tables": {**declared.tables, **rule}})
    after = {s.id for s in planner.plan(wider, more, profile)}
    assert before < after
    assert all(".aaa" in i for i in after - before)


@every_profile
def test_phases_never_go_back(inputs: tuple[Spec, Catalog], profile: Profile) -> None:
    phases = [list(Phase).index(s.phase) for s in planner.plan(*inputs, profile)]
    assert phases == sorted(phases)


@every_profile
def test_the_order_of_the_reference_conversion(inputs: tuple[Spec, Catalog], profile: Profile) -> None:
    """Each table: column, rows, NOT NULL, unique key, reference, index, row level security."""
    made = planner.plan(*inputs, profile)
    for name in reference.NINE:
        at = {s.id.partition(".")[2]: n for n, s in enumerate(made) if s.object == name}
        first = [at[f"{name}.tenant_id"], at[f"{name}.tenant_id.not_null"]]
        refers = [n for i, n in at.items() if i.startswith(f"{name}.{name}_tenant_id_fk")]
        keys = [n for i, n in at.items() if re.fullmatch(rf"{name}\.\w+_tenant_\w+_unique(\.build)?", i)]
        last = [at[f"{name}.{name}_tenant_id_idx.build"], at[f"{name}.isolate"]]
        order = [*first, *refers, *last]
        assert order == sorted(order), name
        if (
            profile == "online"
        ):  # files have the composite keys after row level security, and lift it for them
            assert all(first[-1] < n < last[0] for n in keys), name


def test_a_migrators_files_lift_force_within_each_step_that_checks(inputs: tuple[Spec, Catalog]) -> None:
    steps = planner.plan(*inputs, "transactional").phase(Phase.HARDEN)
    text = "\n".join(statement for step in steps for statement in step.apply)
    # A CHECK is held against the rows themselves, whatever the policies say; a reference is looked up by a query.
    checks = "|".join(map(re.escape, re.findall('ADD CONSTRAINT (".*?") CHECK', text)))
    assert checks
    looks_up = f"FOREIGN KEY|VALIDATE CONSTRAINT (?!{checks})"
    checked = [s for s in steps if re.search(looks_up, "".join(s.apply))]
    assert len(checked) > 8
    for step in checked:
        off, on = ([s for s in step.apply if word in s] for word in (" NO FORCE ", '" FORCE '))
        assert off
        assert [s.replace(" NO FORCE", " FORCE") for s in off] == on
        assert step.apply[: len(off)] == tuple(off)
        assert step.apply[-len(on) :] == tuple(on)


# Refusals


def test_every_problem_is_told_at_once() -> None:
    notes = table("notes", "id uuid!", "team text", policies=(Policy("mine", True, "all", (), "true", None),))
    keys = table("keys", "code text!", pk="code")
    found = catalog(notes, keys, roles=(Role("app_user", True, False, True, False, False, False),))
    toml = TOML + tenant("notes", '{ column = "crew", matches = "slug" }') + tenant("keys") + tenant("gone")
    error = refusal(toml, found)
    expected = (
        "gone: the spec mentions",
        "keys: primary key",
        "crew",
        "slug|create",
        "policy mine",
        "app_user: is a superuser",
    )
    for text in expected:
        assert [p for p in error.problems if re.search(text, p)], text
    assert len(error.problems) == len(set(error.problems)) == 6
    assert all(p in str(error) for p in error.problems)


def test_only_tables_that_the_spec_does_not_mention_are_pending() -> None:
    notes, tags = table("notes", "id uuid!"), table("tags", "id uuid!")
    assert refusal(TOML + tenant("notes"), catalog(notes, tags)).pending
    assert refusal(TOML, catalog(notes, tags)).pending
    assert not refusal(TOML + tenant("notes") + tenant("gone"), catalog(notes, tags)).pending
    assert not refusal(TOML + '[tables.notes]\nscope = "undecided"', catalog(notes)).pending


def test_a_table_that_depends_on_an_open_decision_is_not_blamed() -> None:
    parent, child = (
        table("users", "id uuid!"),
        table("logins", "id uuid!", "user_id uuid", fk={"user_id": "users"}),
    )
    error = refusal(TOML + tenant("logins", '{ parent = "users" }'), catalog(parent, child))
    assert [p.partition(":")[0] for p in error.problems] == ["users"]


def test_a_tenant_column_whose_equality_is_loose_is_refused() -> None:
    loose = replace(column("tenant_id text!"), deterministic=False)
    notes = table("notes", "id uuid!")
    notes = replace(notes, columns=(*notes.columns, loose))
    (problem,) = refusal(TOML + tenant("notes"), catalog(notes)).problems
    assert "looser than identity" in problem


def test_a_tenants_key_whose_equality_is_loose_is_refused() -> None:
    tenants = table("tenants", "id text!", "name text", "slug text")
    tenants = replace(tenants, columns=tuple(replace(c, deterministic=False) for c in tenants.columns))
    (problem,) = refusal(TOML + tenant("notes"), catalog(tenants, table("notes", "id uuid!"))).problems
    assert "looser than identity" in problem


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("uuid", "00000000-0000-4000-8000-00000000000A", "first"),
        ("bigint", "-9223372036854775808", "9223372036854775808"),
        ("integer", "2147483647", "2147483648"),
        ("integer", "+7", "7.0"),
    ],
)
def test_a_constant_must_be_a_value_of_the_tenant_type(type_: str, good: str, bad: str) -> None:
    def toml(value: str) -> str:
        return f'[tenancy]\ntype = "{type_}"\n{TOML.replace("first", value, 1)}' + tenant(
            "notes", f'{{ constant = "{value}" }}'
        )

    found = catalog(table("notes", "id uuid!"))
    assert planner.plan(spec.parse(toml(good)), found, "online")
    assert len(refusal(toml(bad), found).problems) == 2  # the default tenant and the constant


def test_a_constant_is_not_cut_to_the_length_of_the_key() -> None:
    short = "character varying(5)"
    tenants = table("tenants", "id text!", "name text", "slug text")
    tenants = replace(
        tenants, columns=(replace(tenants.columns[0], type=short, base=short), *tenants.columns[1:])
    )
    toml = '[tenancy]\ntype = "character varying(5)"\n' + tenant("notes", '{ constant = "toolong" }')
    (problem,) = refusal(toml, catalog(tenants, table("notes", "id uuid!"))).problems
    assert "longer than character varying(5)" in problem


# Drift


def test_a_plan_is_refused_by_a_database_that_has_changed(make_db: MakeDatabase) -> None:
    db = make_db()
    with db.connect() as conn:
        conn.execute("CREATE TABLE notes (id uuid DEFAULT gen_random_uuid() PRIMARY KEY)")
        declared = spec.parse(TOML + f'[roles]\napp = "{db.role("app")}"\n' + tenant("notes"))
        made = planner.plan(declared, introspect.read(conn), "online")
        conn.execute("ALTER TABLE notes ADD COLUMN title text")
        before = introspect.read(conn)
        with pytest.raises(Drift, match="another catalog"):
            apply(db.dsn, made)
        assert introspect.read(conn) == before
        conn.execute("ALTER TABLE notes DROP COLUMN title")
    apply(db.dsn, made)
    with db.connect() as conn:
        assert planner.plan(declared, introspect.read(conn), "online").steps == ()


# Each step does what it says: verified, and under the lock that it claims


_LOCKS: dict[str, int] = {
    mode: n
    for n, mode in enumerate(
        (
            "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock",
            "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock",
        )
    )
}  # fmt: skip
_CLAIMS = {
    # NONE is what nobody has to wait for: at most reading, and the look at the other side of a foreign key.
    Lock.NONE: _LOCKS["RowShareLock"],
    Lock.ROW_EXCLUSIVE: _LOCKS["RowExclusiveLock"],
    Lock.SHARE_UPDATE_EXCLUSIVE: _LOCKS["ShareUpdateExclusiveLock"],
    Lock.SHARE: _LOCKS["ShareLock"],
    Lock.SHARE_ROW_EXCLUSIVE: _LOCKS["ShareRowExclusiveLock"],
    Lock.ACCESS_EXCLUSIVE: _LOCKS["AccessExclusiveLock"],
}
_TAKEN = """
SELECT DISTINCT l.mode FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
WHERE l.locktype = 'relation' AND l.pid = pg_catalog.pg_backend_pid() AND c.relkind IN ('r', 'p', 'v', 'm')
  AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace) AND c.oid = ANY (%s)
"""
_THERE = (
    "SELECT coalesce(array_agg(oid), '{}') FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p', 'v', 'm')"
)


def _walk(conn: psycopg.Connection[Any], made: Plan) -> Iterator[tuple[Change | Backfill, int | None]]:
    """Run a plan; each step with its strongest lock on a table that was there before, None where nobody can look."""
    conn.execute("SET row_security = off")
    for step in made:
        early = step.id.endswith(".analyze")  # an autovacuum may have come before it
        assert early or not corpus.holds(conn, step), f"{step.id}: its verification holds before it ran"
        taken = None
        if step.transactional:
            with conn.transaction():
                (there,) = conn.execute(_THERE).fetchone() or ([],)
                for statement in step.apply:
                    conn.execute(statement.encode())
                taken = max((_LOCKS[mode] for (mode,) in conn.execute(_TAKEN, (there,))), default=-1)
                conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
        else:
            conn.execute(step.apply[0].encode())
        assert corpus.holds(conn, step), f"{step.id}: its verification does not hold after it ran"
        yield step, taken


def _check_locks(db: Database, made: Plan) -> Counter[str]:
    """Every claim is at least what was taken; returns the claims that say more, by what the steps are about."""
    more: Counter[str] = Counter()
    with closing(db.connect()) as conn:
        for step, taken in _walk(conn, made):
            if taken is not None:
                claim = _CLAIMS[step.lock]
                assert taken <= claim, f"{step.id} says {step.lock} and takes a stronger lock"
                if taken < claim and step.lock is not Lock.NONE:
                    more[re.sub(r"\W.*", "", step.apply[-1].removeprefix("ALTER TABLE "))] += 1
    return more


@every_profile
def test_steps_of_the_reference_are_verified_and_lock_what_they_claim(db: Database, profile: Profile) -> None:
    reference.load(db)
    assert _check_locks(db, reference.plan(db, profile)) == Counter()


_LOCKED = (
    "audit_there", "backfill_parents", "exclusion", "grants_there", "inheritance", "owner_role", "partitioned_primary_key",
    "partitioned_references", "policies_there", "tenant_column_filled_in_part", "tenants_there", "triggers_disabled",
    "triggers_of_partitions", "views_over_tenant_tables",
)  # fmt: skip


@every_profile
@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in corpus.cases() if c.name in _LOCKED])
def test_steps_of_a_case_are_verified_and_lock_what_they_claim(
    case: Case, profile: Profile, make_db: MakeDatabase, tmp_path: Path
) -> None:
    """That they are verified is shown for every case by the runner: it finds none that was done before it ran."""
    subject = corpus.build(case, make_db, tmp_path)
    assert _check_locks(subject.db, planner.plan(subject.spec, subject.before, profile)) == Counter()
