"""Programs that stand in for Collector, Jaeger, Prometheus and Alertmanager: real processes that start at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import pytest

from anthropic_otel.cli.stack.launch import start_id
from support.waiting import until

_PROGRAM = """#!{python} -I
import http.server, os, pathlib, sys, time

name = pathlib.Path(sys.argv[0]).name
if "--version" in sys.argv:
    sys.exit(print(name + ", version 2.42.0"))
pathlib.Path({pids!r}, name).write_text(str(os.getpid()))
does = pathlib.Path({pids!r}).with_name("does-" + name)
if does.exists():
    if does.read_text() == "crash":
        sys.exit(name + " has no wish to run")
    while True:
        time.sleep(60)
listen = [word for word in sys.argv if word.startswith("--web.listen-address=")]
port = listen[0].rpartition(":")[2] if listen else os.environ["HEALTH_PORT" if "otelcol" in name else "JAEGER_UI_PORT"]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
"""

PARTS = ("jaeger", "prometheus-alertmanager", "prometheus", "otelcol-contrib")
"""The programs, in the order of their start."""


@dataclass(frozen=True)
class Command:
    """A command that runs."""

    process: subprocess.Popen[str]
    out: IO[str]
    err: IO[str]

    def end(self, number: signal.Signals | None = None) -> tuple[int, str, str]:
        """Signals it and waits for its end. Its exit status, standard output and standard error."""
        if number is not None:
            self.process.send_signal(number)
        status = self.process.wait()
        for printed in (self.out, self.err):
            printed.seek(0)
        return status, self.out.read(), self.err.read()


class StandIns:
    """The programs, and the command that runs them."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.bin = folder / "bin"
        self._folder = folder
        self._pids = folder / "pids"
        for made in (self.bin, self._pids):
            made.mkdir()
        for name in PARTS:
            self.install(name)

    def install(self, name: str) -> None:
        """Puts a program of that name on the PATH."""
        path = self.bin / name
        path.write_text(_PROGRAM.format(python=sys.executable, pids=str(self._pids)))
        path.chmod(0o755)

    def let(self, name: str, does: str) -> None:
        """Lets a program `hang` before it is ready, or `crash`."""
        (self._folder / f"does-{name}").write_text(does)

    @property
    def environment(self) -> Mapping[str, str]:
        """An environment in which the programs are all there is."""
        return {**os.environ, "PATH": str(self.bin), "XDG_CACHE_HOME": str(self._folder / "cache")}

    @contextmanager
    def starting(self, *words: str) -> Iterator[Command]:
        """Runs the command beside the test. It prints to files, as what it leaves behind may keep a pipe open."""
        command = [sys.executable, "-m", "anthropic_otel.cli", "stack", *words]
        command += [] if words[0] == "build" else ["--work", str(self.work)]
        environment = dict(self.environment)
        with (
            TemporaryFile("w+") as out,
            TemporaryFile("w+") as err,
            subprocess.Popen(command, env=environment, stdout=out, stderr=err, text=True) as process,
        ):
            try:
                yield Command(process, out, err)
            finally:
                process.kill()

    def run(self, *words: str) -> tuple[int, str, str]:
        """Runs the command. Its exit status, standard output and standard error."""
        with self.starting(*words) as command:
            return command.end()

    def up(self) -> tuple[int, str, str]:
        """Starts the programs on free ports."""
        return self.run("up", "--free-ports", "--no-story")

    def pid(self, name: str) -> int:
        """The process of a program, once it runs."""
        path = self._pids / name
        until(lambda: path.exists() and path.read_text() != "")
        return int(path.read_text())

    def alive(self) -> list[str]:
        """The names of the programs that run, found without the state of the stack."""
        return [path.name for path in self._pids.iterdir() if start_id(int(path.read_text()))]


@pytest.fixture
def stand_ins(tmp_path: Path) -> Iterator[StandIns]:
    """The programs. Whatever a test leaves running is ended."""
    made = StandIns(tmp_path)
    yield made
    if made.alive():
        made.run("down")
    assert made.alive() == []
