"""The command line itself: what every verb has in common."""

import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from tenantry import __version__
from tenantry.audit import keys
from tenantry.cli import app


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_a_variable_means_the_same_for_every_verb() -> None:
    meanings = defaultdict[str, set[tuple[str, str]]](set)
    for verb in typer.main.get_command(app).commands.values():  # type: ignore[attr-defined]
        for option in verb.params:
            if option.param_type_name == "option" and option.name != "help":
                assert option.envvar, f"{verb.name} {option.opts} has no environment variable"
                meanings[option.envvar].add((option.name, option.help))
    assert {name: found for name, found in meanings.items() if len(found) > 1} == {}


@pytest.mark.parametrize("option", [("--full",), ("--app-dsn", "x"), ("--fire-triggers",), ("--costly", "7")])
def test_what_means_nothing_in_a_lab_is_refused(
    option: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    good = Path(__file__).parents[1] / "examples" / "skills_catalog" / "tenantry.toml"
    (tmp_path / "tenantry.toml").write_text(good.read_text())
    result = run("prove", "--lab", *option)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"tenantry: --lab: {option[0]} says nothing there")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", "--catalog", "none.json"), "none.json: No such file"),
        (("plan", "--catalog", "empty.json"), "empty.json: not a saved catalog"),
        (("plan", "--spec", "none.toml"), "none.toml"),
        (("apply", "none.json"), "none.json: not a saved plan (No such file or directory)"),
        (("apply", "."), ".: not a saved plan (Is a directory)"),
        (("check", "--baseline", "none.json"), "none.json: cannot be read (No such file or directory)"),
        (("prove", "--baseline", "none.json"), "none.json: cannot be read (No such file or directory)"),
        (
            ("prove", "--baseline", "latin.txt"),
            "latin.txt: cannot be read (not UTF-8: unexpected end of data at byte 3)",
        ),
        (
            ("audit", "proof", "--check", "e", "--public-key", "none.pub"),
            "none.pub: cannot be read (No such file or directory)",
        ),
        (
            ("audit", "proof", "--check", "none.json", "--public-key", "good.pub"),
            "none.json: No such file or directory",
        ),
        (("apply", "empty.json"), "empty.json: not a saved plan"),
        (("plan", "--dsn", "host=127.0.0.1 port=1", "--spec", "good.toml"), "cannot connect"),
        (("init", "--dsn", "host=127.0.0.1 port=1"), "cannot connect"),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.json").write_text("{}")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "good.pub").write_text(f"{keys.create(tmp_path / 'good.key', 'a.example')}\n")
    good = Path(__file__).parents[1] / "examples" / "skills_catalog" / "tenantry.toml"
    (tmp_path / "good.toml").write_text(good.read_text())
    (tmp_path / "tenantry.toml").write_text(good.read_text())
    if arguments[0] == "init":
        (tmp_path / "tenantry.toml").unlink()
    result = run(*arguments)
    assert result.stderr.startswith("tenantry: ")
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert "Errno" not in result.output
    assert result.exit_code == (3 if said == "cannot connect" else 2)


def test_version_is_printed() -> None:
    assert run("--version").stdout == f"tenantry {__version__}\n"


def test_without_the_extras_every_verb_tells_of_itself() -> None:
    """What an extra brings is imported where it is used; a bare install must not fail on its absence."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    bare = {re.split(r"[^\w-]", text)[0] for text in project["dependencies"]}
    brought = packages_distributions()
    extra = {
        re.split(r"[^\w-]", text)[0]
        for name, texts in project["optional-dependencies"].items()
        if name not in {"dev", "judges"}
        for text in texts
    } - {"tenantry", *bare}
    absent = sorted(module for module, by in brought.items() if extra & {name.lower() for name in by})
    assert {"cryptography", "sqlalchemy", "django", "asyncpg", "celery", "duckdb"} <= set(absent)
    program = (
        "import sys; sys.modules.update(dict.fromkeys(sys.argv[1:]))\n"  # None there makes an import fail
        "from typer.testing import CliRunner\n"
        "from tenantry.cli import app\n"
        "import typer\n"
        "verbs = typer.main.get_command(app).commands\n"
        "words = [[v, *i] for v, c in verbs.items() for i in ([[n] for n in getattr(c, 'commands', {})] or [[]])]\n"
        "for line in words:\n"
        "    told = CliRunner().invoke(app, [*line, '--help'])\n"
        "    assert told.exit_code == 0 and told.output.startswith('Usage'), (line, told.output, told.exception)\n"
        "print(len(words))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *absent], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert int(done.stdout) > 20
