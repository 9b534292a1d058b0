"""The command line itself: what every verb has in common."""

from collections import defaultdict
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", "--catalog", "none.json"), "none.json: No such file"),
        (("plan", "--catalog", "empty.json"), "empty.json: not a saved catalog"),
        (("plan", "--spec", "none.toml"), "none.toml"),
        (("apply", "none.json"), "none.json: not a saved plan"),
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
    good = Path(__file__).parents[1] / "examples" / "skills_catalog" / "tenantry.toml"
    (tmp_path / "good.toml").write_text(good.read_text())
    (tmp_path / "tenantry.toml").write_text(good.read_text())
    if arguments[0] == "init":
        (tmp_path / "tenantry.toml").unlink()
    result = run(*arguments)
    assert result.stderr.startswith("tenantry: ")
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert result.exit_code == (3 if said == "cannot connect" else 2)
