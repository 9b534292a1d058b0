"""The application on a throwaway server with two tenants: `python -m app`, from the folder above. Ctrl-C ends it.

It serves on the loopback interface only, since it shows sign-in links to whoever asks.
"""

import argparse
import contextlib
import signal
from types import FrameType

import psycopg
import uvicorn
from psycopg.conninfo import make_conninfo

from tenantry import demo, embedded

from .main import create_app
from .prepare import embed_all, make_administrator
from .settings import Settings

FIRST = "default-tenant-000-0000-000000000000"


def main() -> None:
    """Convert, prepare, serve."""
    options = argparse.ArgumentParser(prog="python -m app", description=__doc__)
    options.add_argument("--port", type=int, default=8000, help="on 127.0.0.1 (default: 8000)")
    options.add_argument("--scale", type=float, default=0.1, help="1 is about 50 000 rows (default: 0.1)")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    with contextlib.suppress(KeyboardInterrupt), embedded.server() as dsn:
        _serve(dsn, given.port, given.scale)
    print("Ended: the server and its data are gone.", flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _serve(dsn: str, port: int, scale: float) -> None:
    converted = demo.run(dsn, scale=scale, say=print)
    for broken in converted.broken:
        print(f"NOT AS PROMISED: {broken}")
    app_dsn = make_conninfo(dsn, user="app_user")
    tenants = {FIRST: "default", demo.SECOND[0]: demo.SECOND[2]}
    print()
    with psycopg.connect(dsn, autocommit=True) as admin:
        for id, slug in tenants.items():
            chief, member = make_administrator(admin, id)
            embed_all(app_dsn, id)
            print(f"http://127.0.0.1:{port}/t/{slug}/skills   sign in as {chief} (administrator) or {member}")
    print(f"API               http://127.0.0.1:{port}/openapi.json", flush=True)
    settings = Settings(app_dsn, show_links=True, secure_cookies=False)
    uvicorn.run(create_app(settings), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main()
