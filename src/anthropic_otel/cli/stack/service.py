"""Starts one program of the stack as a process, waits until it is ready, and ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Final

from anthropic_otel.cli.stack import launch

_UP_AFTER: Final = 1.0
"""Seconds after which a process without a URL to ask counts as ready."""


class NotReady(Exception):
    """A program of the stack has ended, or did not answer in time. The message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Recording:
    """How a new process is recorded.

    - `record`: the file in which the process records itself.
    - `lock`: the descriptor of the stack's lock. The process inherits it, and holds the lock until it is recorded.
    """

    record: Path
    lock: int


def start(
    command: list[str],
    recording: Recording | None = None,
    *,
    environment: dict[str, str] | None = None,
    log: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Starts `command` as a process in a session of its own, so that it outlives this one, and returns it.

    With `recording`, the new process first records itself. Its input is the null device. It gets this process's
    variables and those in `environment`, which take precedence. Its output and errors are appended to the file `log`;
    `None` shares those of this process. Raises `OSError` if the log cannot be opened or, without `recording`, the
    program cannot be run.
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
    """One program of the stack, and its process.

    - `ready`: a URL that answers with a 2xx once the program can be used; empty if there is none.
    - `log`: the file to which its output and errors are appended.
    - `environment`: variables to add to those of this process.
    - `grace`: how many seconds `stop` waits before it kills the process.
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
        """Starts the process, waits until it is ready, and returns `self`.

        It is ready once `ready` answers; without a URL, once it has run for a second. Raises `NotReady` if it ends
        before, or if it is not ready after `wait` seconds, in which case it is stopped. Makes the log's directory.
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
        """Sends the process the signal `number` and waits for its end; after `grace` seconds, sends it SIGKILL.

        Does nothing if it does not run. The processes that it has started get no signal.
        """
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(self.grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def tail(self, lines: int = 15) -> str:
        """Returns the last `lines` lines of the log, joined by newlines. Raises `OSError` if it cannot be read."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def answers(url: str) -> bool:
    """Returns whether the HTTP URL answers, after redirects, with a status below 300; `False` if the request fails.

    Waits for each part of the answer two seconds at most.
    """
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status < 300)
    except (OSError, HTTPException):
        return False
