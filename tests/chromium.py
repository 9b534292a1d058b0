"""A page in a real browser, driven by the DevTools protocol over a pipe: no port, no further library."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)  # fmt: skip
_WAIT = 60  # seconds for one answer: a machine may be busy


class Tab:
    """One tab. ``events`` are what the browser told so far."""

    def __init__(self, process: subprocess.Popen[bytes], write: int, read: int) -> None:
        self._process, self._write, self._read = process, write, read
        self._left = b""
        self._ids, self._session = itertools.count(1), ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command. Raises RuntimeError for a refusal, and when none comes in time."""
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        return self._until(lambda m: m.get("id") == number, method).get("result", {})  # type: ignore[no-any-return]

    def open(self, place: Path | str, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Load a file or an address in a window of that size, and wait until it is there."""
        self.events.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        self.call("Page.navigate", url=place if isinstance(place, str) else place.as_uri())
        self._until(lambda m: m.get("method") == "Page.loadEventFired", "load")

    def go(self, expression: str) -> None:
        """Ask the page for something that leaves it, such as a click on a link, and wait for the next page."""
        self.events.clear()
        self.ask(expression)
        if not self.of("Page.loadEventFired"):
            self._until(lambda m: m.get("method") == "Page.loadEventFired", "load")

    def size(self, width: int, height: int = 900) -> None:
        """Give the window another size."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page, awaited. Raises RuntimeError when it throws."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression[:80]}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def of(self, method: str) -> list[dict[str, Any]]:
        """What the browser told of one kind since the page was opened."""
        return [m["params"] for m in self.events if m.get("method") == method]

    def _until(self, wanted: Any, what: str) -> dict[str, Any]:
        watch = threading.Timer(_WAIT, self._process.kill)
        watch.start()
        try:
            while True:
                message = json.loads(self._message(what))
                self.events.append(message)
                if wanted(message):
                    if "error" in message:
                        raise RuntimeError(f"{what}: {message['error']}")
                    return message  # type: ignore[no-any-return]
        finally:
            watch.cancel()

    def _message(self, what: str) -> bytes:
        while b"\0" not in self._left:
            more = os.read(self._read, 1 << 20)
            if not more:
                raise RuntimeError(f"chromium ended, or did not answer {what} in {_WAIT} s")
            self._left += more
        message, _, self._left = self._left.partition(b"\0")
        return message


@contextlib.contextmanager
def tab(what: str = "the report") -> Iterator[Tab]:
    """A tab of a browser with a fresh profile; skips, loudly, where there is none."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip(
            f"NOT TESTED HERE: {what} in a real browser, because chromium is not installed (apt-get install chromium)"
        )
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        # The browser reads its descriptor 3 and writes to 4.
        process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{to_read} 4>&{from_write}', "-", program, *_FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(to_read, from_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(from_write)
        try:
            yield Tab(process, to_write, from_read)
        finally:
            process.kill()
            process.wait()
            os.close(to_write)
            os.close(from_read)
