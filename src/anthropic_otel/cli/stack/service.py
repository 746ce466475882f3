"""One part of the stack as a process: starts it, waits until it is ready, ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from anthropic_otel.cli.stack import launch

_UP_AFTER: Final = 1.0
"""Seconds after which a process without an address to ask counts as ready."""


class NotReady(Exception):
    """A part ended, or did not answer in time. The message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The file in which a process is recorded, and the descriptor of the lock that it holds until then."""

    record: Path
    lock: int


def start(
    command: list[str],
    recording: Recording | None = None,
    *,
    environment: dict[str, str] | None = None,
    log: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a process in a session of its own, so that it outlives this one. Its input is the null device.

    `environment` is added to this process's. `log` is a file that its output is appended to; `None` shares this
    process's output.
    """
    launcher = [sys.executable, "-I", launch.__file__, str(recording.record), str(recording.lock)] if recording else []
    output = log.open("ab") if log else None
    try:
        return subprocess.Popen(
            [*launcher, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            pass_fds=(recording.lock,) if recording else (),
        )
    finally:
        if output:
            output.close()


@dataclass
class Service:
    """One part of the stack.

    - `ready`: a URL that answers with a 2xx once the part can be used; empty if it has none.
    - `environment`: variables to add.
    - `grace`: how many seconds it has to end before it is killed.
    - `process`: the process, `None` before `start`.
    """

    name: str
    command: list[str]
    ready: str
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    grace: float = 20.0
    process: subprocess.Popen[bytes] | None = None

    def start(self, wait: float = 60.0, recording: Recording | None = None) -> Service:
        """Starts the process and waits until it is ready, for `wait` seconds at most.

        Returns `self`; raises `NotReady`.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.process = start(self.command, recording, environment=self.environment, log=self.log)
        began = time.monotonic()
        while time.monotonic() - began < wait:
            if self.process.poll() is not None:
                raise NotReady(f"{self.name} ended with status {self.process.returncode}:\n{self.tail()}")
            if answers(self.ready) if self.ready else time.monotonic() - began > _UP_AFTER:
                return self
            time.sleep(0.1)
        self.stop()
        raise NotReady(f"{self.name} did not answer at {self.ready} in {wait:.0f} s:\n{self.tail()}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ends the process and waits for its end; kills it after `grace` seconds. Does nothing if it does not run."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(self.grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def tail(self, lines: int = 15) -> str:
        """Returns the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def answers(url: str) -> bool:
    """Returns whether the URL answers with a status below 300."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status < 300)
    except (urllib.error.URLError, OSError):
        return False
