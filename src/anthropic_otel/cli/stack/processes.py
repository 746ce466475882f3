"""A process that was recorded: whether it still lives, and how it is ended.

Rule: a process is signalled only while it has the start mark of its record, so that another process which was given
the same number since is left alone.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from anthropic_otel.cli.stack.launch import start_mark

_POLL: Final = 0.05
_KILL_WAIT: Final = 10.0
"""Seconds in which the system has to end a process that was sent SIGKILL."""


class StillRuns(Exception):
    """A process could not be ended. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its number, and the mark of its start."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return start_mark(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Signals the process alone."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def send_to_group(self, number: signal.Signals) -> None:
        """Signals the process, which leads a group of its own, and what it has started."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def ends_within(self, seconds: float) -> bool:
        """Waits for its end. False if it still lives."""
        return eventually(lambda: not self.alive, seconds)


def this_process() -> Process:
    """The process that asks."""
    return Process(os.getpid(), start_mark(os.getpid()) or "")


def end_group(process: Process, name: str, grace: float) -> None:
    """Ends a group: asked first, and after `grace` seconds killed. Raises `StillRuns`."""
    try:
        process.send_to_group(signal.SIGTERM)
        if process.ends_within(grace):
            return
        process.send_to_group(signal.SIGKILL)
    except PermissionError:
        raise StillRuns(f"{name}: process {process.pid} belongs to another user, who has to end it") from None
    if not process.ends_within(_KILL_WAIT):
        raise StillRuns(f"{name}: process {process.pid} did not end. Wait for the system to end it, then try again")


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Waits until a condition holds. False if it did not in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interruptible() -> None:
    """Lets every signal that ends a command raise `KeyboardInterrupt`, so that it ends in order."""
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as SIGHUP is under nohup
            signal.signal(number, signal.default_int_handler)


def uninterruptible() -> None:
    """Ignores these signals from now on: ending in order takes a limited time, and a second Ctrl+C must not cut it."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
