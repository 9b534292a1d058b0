"""The shipped sabotages: each is found by those who claim it, and by nobody undeclared; without one there is silence."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from tenantry import checks, mutations
from tenantry.attacks import ATTACKS, DOORS, read
from tenantry.cli import app
from tenantry.errors import CatalogError
from tenantry.finding import Check
from tenantry.mutations import pgbouncer, suite, trials, worlds
from tenantry.mutations.scratch import Scratch, scratch
from tenantry.mutations.worlds import World
from tenantry.report.trials import to_text
from tenantry.trial import Layer, Mutation, SelfTest, Trial
from tests.servers import Server

SLUGS = {c.slug for c in checks.all_checks()}


def _attack(mutation: Mutation) -> bool:
    """The sabotage in an attack on a table; those of other ways to rows are tried in the notes alone."""
    return bool(mutation.repair) and not any(b.endswith(" *") for b in mutation.breaches)


def _own(mutation: Mutation) -> bool:
    """The sabotage in a check's header, or in an attack."""
    return mutation.name in SLUGS or _attack(mutation)


def _signed(mutation: Mutation) -> bool:
    """What is about signatures, keys and work beyond one tenant."""
    return mutation.name in {entry["name"] for entry in suite.table("vault")["mutation"]}


# What is tried here of worlds where most is tried twice: `tenantry prove --self-test` tries all of it, in minutes.
PART: Mapping[str, tuple[str, Callable[[Mutation], bool]]] = {
    "skills": ("<16", _own),
    "workshop": (">=16", _own),
    "ledger": (">=16", _attack),
    "vault": (">=15", _signed),
}


def _params() -> Iterator[object]:
    for world in mutations.NAMES:
        version, wanted = PART.get(world, (">=15", None))
        for mutation in suite.of(world):
            for layer in trials.layers(mutation):
                if wanted is None or wanted(mutation):
                    name = f"{world}-{layer}-{mutation.name}"
                    yield pytest.param(world, mutation, layer, marks=pytest.mark.pg(version), id=name)


@pytest.fixture(scope="module")
def room(server: Server) -> Iterator[Scratch]:
    with scratch(server.dsn) as room:
        yield room


@pytest.fixture(scope="module")
def made(room: Scratch) -> Iterator[Any]:
    """Worlds by name, each made once; at the end each must be as it was."""
    with ExitStack() as stack:
        there: dict[str, World] = {}

        def get(name: str) -> World:
            if name not in there:
                there[name] = stack.enter_context(worlds.make(room, name))
            return there[name]

        yield get
        left = {name: list(worlds.left_behind(world)) for name, world in there.items()}
        assert left == {name: [] for name in there}


@pytest.mark.parametrize(("world", "mutation", "layer"), list(_params()))
def test_a_sabotage_is_found(made: Any, world: str, mutation: Mutation, layer: Layer) -> None:
    trial = trials.try_(made(world), mutation, layer)
    if trial.verdict == "skipped":
        pytest.skip(f"NOT TESTED HERE: {mutation.name}: {trial.detail}")
    assert (trial.verdict, trial.detail) == ("found", "")


@pytest.mark.parametrize("world", mutations.NAMES)
def test_without_a_sabotage_there_is_silence(made: Any, world: str) -> None:
    found = made(world)
    assert trials.noise(found) == ()
    version = found.scratch.conn.info.server_version
    if found.spec is not None:
        later = {c.slug for c in checks.all_checks() if c.since * 10_000 > version}
        assert set(found.clean.skipped) <= later
    assert bool(found.outcomes) == bool(found.kind.attacked)
    odd = [o for o in found.outcomes if o.attack != "reference" and o.status != "held"]
    nothing = ("no events yet", "no row of another tenant to remove")
    assert [o for o in odd if not (o.status == "skipped" and o.detail.startswith(nothing))] == []


def test_there_are_enough_and_each_check_and_attack_has_its_own() -> None:
    every = [m for world in mutations.NAMES for m in suite.of(world)]
    assert len({m.sql for m in every}) >= 100
    claimed = {c for m in every for c in m.finds} | {b.partition(" ")[0] for m in every for b in m.breaches}
    assert {c.slug for c in checks.all_checks()} | {a.NAME for a in (*ATTACKS, *DOORS)} <= claimed
    assert {s for m in every for s in (*m.finds, *m.also)} <= SLUGS


# The suite itself can fail


WORLD = "membership"


def _sample(name: str) -> tuple[Mutation, ...]:
    return tuple(m for m in suite.of(name) if m.name in ("writes that no policy checks", "read notes"))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite of one sabotage for each layer."""
    sample = {name: _sample(name) for name in ("membership", "notes")}
    monkeypatch.setattr(mutations.suite, "of", sample.__getitem__)


def _blind(slug: str) -> tuple[Check, ...]:
    """The checks, of which one finds nothing."""
    query = "SELECT NULL::text AS object, NULL::text AS detail, NULL::text AS message WHERE false"
    return tuple(replace(c, query=query) if c.slug == slug else c for c in checks.all_checks())


def _verdicts(test: SelfTest) -> dict[str, str]:
    return {t.mutation: t.verdict for t in test.trials}


@pytest.mark.pg(">=18")
def test_it_passes_on_what_is_whole_but_for_what_was_not_asked(few: None, server: Server) -> None:
    done = mutations.run(server.dsn, names=("membership", "notes"))
    assert _verdicts(done) == {"writes that no policy checks": "found", "read notes": "found"}
    assert not any(w.noise for w in done.worlds)
    assert "rls-off" in done.unshown
    assert not done.passed
    assert replace(done, unshown=()).passed


@pytest.mark.pg(">=18")
def test_a_check_that_finds_nothing_fails_it(
    few: None, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = _blind("policy-check-weak")
    monkeypatch.setattr(checks, "all_checks", lambda: blind)
    done = mutations.run(server.dsn, names=("membership",))
    assert _verdicts(done) == {"writes that no policy checks": "missed"}
    assert not replace(done, unshown=()).passed


@pytest.mark.pg(">=18")
def test_an_attack_that_always_holds_fails_it(
    few: None, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = read.run

    def held(*arguments: Any) -> Any:
        return replace(whole(*arguments), status="held", control_fired=True)

    monkeypatch.setattr(read, "run", held)
    done = mutations.run(server.dsn, names=("notes",))
    assert _verdicts(done) == {"read notes": "missed"}
    assert not replace(done, unshown=()).passed


@pytest.mark.pg(">=18")
def test_what_is_found_without_being_declared_fails_it(made: Any) -> None:
    two = Mutation(
        "two mistakes", ("GRANT TRUNCATE ON {table} TO {app}", "GRANT TRIGGER ON {table} TO {app}"),
        finds=("grant-truncate",),
    )  # fmt: skip
    trial = trials.try_(made(WORLD), two, "check")
    assert (trial.verdict, trial.detail) == ("extra", "also found: grant-trigger")
    assert trials.try_(made(WORLD), replace(two, also=("grant-trigger",)), "check").verdict == "found"


@pytest.mark.pg(">=18")
def test_what_cannot_be_tried_fails_it(made: Any) -> None:
    wrong = Mutation("nonsense", ("ALTER TABLE nowhere OWNER TO {app}",), finds=("role-owner",))
    trial = trials.try_(made(WORLD), wrong, "check")
    assert (trial.verdict, trial.good) == ("error", False)
    assert "42P01" in trial.detail


@pytest.mark.pg(">=18")
def test_what_is_missing_on_this_machine_is_said(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgbouncer, "PROGRAM", None)
    (pooler,) = (m for m in suite.of("notes") if m.pooler)
    trial = trials.try_(made("notes"), pooler, "attack")
    assert (trial.verdict, trial.detail) == ("skipped", pgbouncer.ABSENT)
    asked = {b.partition(" ")[0] for b in pooler.breaches}
    assert not asked & set(trials.unshown([trial], 180000))
    assert asked <= set(trials.unshown([], 180000))
    text = to_text(SelfTest("now", "PostgreSQL 18.6", (), (trial,), (), left_out=trials.left_out([trial])))
    assert f"NOT TRIED pooler: {pgbouncer.ABSENT}" in text


@pytest.mark.parametrize(
    ("claim", "found", "fits"),
    [
        ("read notes", "read notes", True), ("read notes", "read users", False), ("* notes", "lock notes", True),
        ("large *", "large large object 1", True), ("large *", "read notes", False), ("rls-off", "rls-off", True),
        ("rls-off", "rls-off-part", False), ("* notes", "rls-off", False),
    ],
)  # fmt: skip
def test_a_claim_is_about_an_attack_an_object_or_both(claim: str, found: str, fits: bool) -> None:
    assert trials._compared({found}, {claim}, set())[0] == ("found" if fits else "missed")
    assert trials._compared({found}, set(), {claim})[0] == ("found" if fits else "extra")


@pytest.mark.pg(">=18")
def test_noise_without_a_sabotage_fails_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = replace(
        worlds.kind(WORLD), before=worlds.kind(WORLD).before + "GRANT TRUNCATE ON tasks TO app_user;\n"
    )
    monkeypatch.setattr(worlds, "kind", lambda _name: noisy)
    with scratch(server.dsn) as mine, worlds.make(mine, WORLD) as world:
        (said,) = trials.noise(world)
    assert said.startswith("grant-truncate tasks: ")


@pytest.mark.pg(">=18")
def test_nothing_is_left_on_the_server(server: Server) -> None:
    query = b"SELECT datname::text FROM pg_database UNION ALL SELECT rolname::text FROM pg_roles ORDER BY 1"
    with psycopg.connect(server.dsn, autocommit=True) as conn:
        before = conn.execute(query).fetchall()
        with scratch(server.dsn) as mine, worlds.make(mine, WORLD):
            assert conn.execute(query).fetchall() != before
        assert conn.execute(query).fetchall() == before
        conn.execute("CREATE ROLE no_superuser LOGIN")
        try:
            weak = server.dsn.replace("postgres@", "no_superuser@")
            with pytest.raises(CatalogError, match="role no_superuser is no superuser"), scratch(weak):
                pass
        finally:
            conn.execute("DROP ROLE no_superuser")


@pytest.mark.pg(">=18")
def test_the_command_tells_and_exits(server: Server, few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run(dsn: str, **_rest: Any) -> SelfTest:
        asked.append(dsn)
        trial = Trial("notes", "read notes", "attack", ("read notes",), "missed", "not found: read notes")
        return SelfTest("now", "PostgreSQL 18.6", (), (trial,), ("rls-off",))

    monkeypatch.setattr(mutations, "run", run)
    done = CliRunner().invoke(app, ["prove", "--self-test", "--dsn", server.dsn])
    assert done.exit_code == 1
    assert done.stdout.startswith("FAILED: 0 of 1")
    assert "MISSED notes: read notes (attack): not found: read notes" in done.stdout
    assert "NOT SHOWN to find anything: rls-off" in done.stdout
    assert asked == [server.dsn]
    # What the environment names is somebody's database, not a scratch server.
    CliRunner().invoke(app, ["prove", "--self-test"], env={"TENANTRY_DSN": server.dsn})
    assert len(asked) == 2
    assert asked[1] != server.dsn
