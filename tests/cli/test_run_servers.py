"""`anthropic-otel run` of servers: a reloader's workers and a pre-fork server's are followed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from anthropic_otel.simulator import Simulator
from support.apps import request_of
from support.running import COMMAND, environment, saved
from support.waiting import until

pytestmark = pytest.mark.slow
ASGI: Final = f"""
import anthropic, os
client = anthropic.AsyncAnthropic()

async def app(scope, receive, send):
    if scope["type"] == "http":
        await client.messages.create(**{request_of()!r})
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": str(os.getpid()).encode()}})
"""
WSGI: Final = f"""
import anthropic, os
client = anthropic.Anthropic()

def app(environ, start_response):
    client.messages.create(**{request_of()!r})
    start_response("200 OK", [("content-type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


class Server:
    """A server below `anthropic-otel run`, whose log is `run`'s stderr."""

    def __init__(self, folder: Path, sim: Simulator, command: Sequence[str], app: str) -> None:
        self.app: Final = folder / "app.py"
        self.app.write_text(app, "utf-8")
        self._log: Final = folder / "log"
        self.events: Final = folder / "events.ndjson"
        with self._log.open("wb") as output:
            self.process: Final = subprocess.Popen(
                [*COMMAND, "--save", str(self.events), "--", sys.executable, "-m", *command],
                cwd=folder,
                env=environment(sim),
                stderr=output,
                stdout=output,
            )
        self.url: Final = str(until(lambda: self._said(r"(?:running on|Listening at:) (http://\S+)")).group(1))

    @property
    def log(self) -> str:
        """What it has said."""
        return self._log.read_text("utf-8")

    def _said(self, pattern: str) -> re.Match[str]:
        found = re.search(pattern, self.log)
        assert found or self.process.poll() is None, self.log
        return found  # type: ignore[return-value]

    def ask(self) -> int:
        """The pid of the worker that has answered. A reloader has the port before its worker listens."""
        pid = until(self._answer)
        assert pid is not None
        return pid

    def _answer(self) -> int | None:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.url) as response:
                return int(response.read())
        except OSError:
            assert self.process.poll() is None, self.log
            return None

    def stop(self) -> int:
        """Ends it as an operator does, and returns its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()


@pytest.mark.interpreter
def test_a_reloaded_app_is_followed(sim: Simulator, tmp_path: Path) -> None:
    """`uvicorn --reload` runs each version of the app in a process of its own."""
    pytest.importorskip("uvicorn")
    server = Server(tmp_path, sim, ["uvicorn", "app:app", "--reload", "--port", "0"], ASGI)
    first = server.ask()
    # The file's time decides: a second later, whatever the file system's clock is like, and changed once.
    changed = tmp_path / "changed"
    changed.write_text(ASGI + "# changed\n", "utf-8")
    os.utime(changed, (server.app.stat().st_atime, server.app.stat().st_mtime + 2))
    changed.replace(server.app)
    until(lambda: server.log.count("Application startup") > 1 or "Reloading" in server.log)
    second = until(lambda: (pid := server.ask()) != first and pid)
    server.stop()
    assert {event["pid"] for event in saved(server.events, "call")} == {first, second}
    assert "Traceback" not in server.log


@pytest.mark.interpreter
@pytest.mark.parametrize("preload", [True, False])
def test_every_worker_of_a_prefork_server_is_followed(sim: Simulator, tmp_path: Path, preload: bool) -> None:
    """`gunicorn`, with the app imported before the fork or after it: each worker has a connection of its own."""
    pytest.importorskip("gunicorn")
    options = ["--workers", "2", "--bind", "127.0.0.1:0", *["--preload"] * preload]
    server = Server(tmp_path, sim, ["gunicorn", *options, "app:app"], WSGI)
    pids: set[int] = set()
    asked = 0
    while len(pids) < 2:
        pids.add(server.ask())
        asked += 1
    assert server.stop() == 0
    calls = saved(server.events, "call")
    assert {event["pid"] for event in calls} == pids
    assert len(calls) == asked
    assert "Traceback" not in server.log
