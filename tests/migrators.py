"""Other people's migrators, run for real on rendered files: psql, drizzle-orm, Alembic."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL

from tenantry.render import File
from tests import npm
from tests.servers import Database

DRIZZLE = Path(__file__).parent / "drizzle"
RAW = {"no_parameters": True}  # a percent sign in SQL is no placeholder
EnvStyle = Literal["transactional", "per-migration", "outer-transaction"]


class MigratorError(Exception):
    """A migrator ended with an error; the message is what it said."""


def write(folder: Path, files: Iterable[File]) -> None:
    """Write rendered files."""
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8", newline="")


def read(folder: Path, *suffixes: str) -> dict[str, str]:
    """A directory as renderers take it: path → text."""
    found = sorted(p for p in folder.rglob("*") if p.suffix in suffixes and "__pycache__" not in p.parts)
    return {p.relative_to(folder).as_posix(): p.read_bytes().decode() for p in found}


def _run(command: Sequence[str], *, cwd: Path, **env: str) -> str:
    done = subprocess.run(command, cwd=cwd, env=os.environ | env, capture_output=True)
    if done.returncode:
        said = (done.stdout + done.stderr).decode()
        raise MigratorError(f"{command[0]} ended with {done.returncode}\n{said}")
    return done.stdout.decode()  # not as text: that would change carriage returns


def run_psql(files: Iterable[Path], db: Database) -> None:
    """Run the files in the order given, each in a psql of its own."""
    for file in files:
        db.psql(file)


# Drizzle


def run_drizzle(folder: Path, dsn: str) -> None:
    """Run drizzle-orm's own node-postgres migrator on a folder with a journal; skips where node is missing."""
    names = {
        "host": "PGHOST",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
    }
    home = npm.installed(DRIZZLE, "the real drizzle-orm migrator")
    given = conninfo_to_dict(dsn)
    env = {variable: str(given[name]) for name, variable in names.items() if given.get(name) is not None}
    _run(["node", "migrate.mjs", str(folder)], cwd=home, **env)


# Alembic


def alembic_project(folder: Path, dsn: str, *, env_style: EnvStyle, revisions: Sequence[str] = ()) -> Path:
    """A project as `alembic init` makes it, with one revision for each SQL text; returns its versions folder.

    `env_style`: `transactional` is Alembic's default, one transaction for a whole command; `per-migration` has
    one for each revision; `outer-transaction` is an env.py that opens the transaction itself.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _alembic(folder, "init", "migrations")
    ini, env = folder / "alembic.ini", folder / "migrations" / "env.py"
    url = _sqlalchemy_url(dsn).replace("%", "%%")
    _replace(ini, "driver://user:pass@localhost/dbname", url)
    if env_style == "per-migration":
        _replace(
            env, "target_metadata=target_metadata", "target_metadata=None, transaction_per_migration=True"
        )
    elif env_style == "outer-transaction":
        _replace(env, "connectable.connect()", "connectable.begin()")
    versions = folder / "migrations" / "versions"
    down = None
    for n, text in enumerate(revisions, 1):
        revision = f"base{n}"
        (versions / f"{revision}_by_hand.py").write_text(
            f"from alembic import op\n\nrevision = {revision!r}\ndown_revision = {down!r}\n\n\n"
            f"def upgrade():\n    op.get_bind().exec_driver_sql({text!r}, execution_options={RAW})\n\n\n"
            "def downgrade():\n    pass\n"
        )
        down = revision
    return versions


def _sqlalchemy_url(dsn: str) -> str:
    given = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    user, password, database = (given.pop(name, None) for name in ("user", "password", "dbname"))
    url = URL.create("postgresql+psycopg", user, password, database=database, query=given)
    return url.render_as_string(hide_password=False)


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, f"{file.name} does not hold {old}"
    file.write_text(text.replace(old, new))


def run_alembic(versions: Path, *arguments: str) -> str:
    """Run the real `alembic` in the project of that versions folder; returns what it prints."""
    return _alembic(versions.parents[1], *arguments)


def _alembic(folder: Path, *arguments: str) -> str:
    return _run([sys.executable, "-m", "alembic", *arguments], cwd=folder, PYTHONDONTWRITEBYTECODE="1")


def alembic_heads(versions: Path) -> tuple[str, ...]:
    """The project's heads, as Alembic sees them."""
    return tuple(line.split()[0] for line in run_alembic(versions, "heads").splitlines() if line.strip())
