"""Finds out whether a recorded process still runs, and ends it. Also sets what signals do to the command itself.

Rule: a process is signalled only if its start id is the recorded one, so that another process that has got the same
number is left alone.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from anthropic_otel.cli.stack.launch import start_id

_POLL: Final = 0.05
_KILL_WAIT: Final = 10.0
"""Seconds in which the system has to end a process that was sent SIGKILL."""


class StillRuns(Exception):
    """A process could not be ended. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its number `pid`, and `started`, the id of its start, which `launch.start_id` returns."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether the process still runs. It does not if its number belongs to another process by now."""
        return start_id(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process. Does nothing if it has ended.

        Raises `PermissionError` if the process belongs to another user.
        """
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def send_to_group(self, number: signal.Signals) -> None:
        """Sends a signal to the group that the process leads: to it and to what it has started.

        Does nothing if the process has ended. Raises `PermissionError` if all of them belong to another user.
        """
        if self.alive:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def ends_within(self, seconds: float) -> bool:
        """Waits until the process has ended, for `seconds` at most, and returns whether it has."""
        return eventually(lambda: not self.alive, seconds)


def this_process() -> Process:
    """Returns the current process."""
    return Process(os.getpid(), start_id(os.getpid()) or "")


def end_group(process: Process, name: str, grace: float) -> None:
    """Ends the group of `process` by SIGTERM and, if `process` still runs after `grace` seconds, by SIGKILL.

    Waits until `process` has ended, and does nothing if it has already. Raises `StillRuns` if it does not end within
    ten seconds of SIGKILL, or belongs to another user. `name` is for the message.
    """
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
    """Calls `condition`, at least once, until it is true or `seconds` have passed; returns whether it became true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interruptible() -> None:
    """Makes SIGINT, SIGTERM and SIGHUP raise `KeyboardInterrupt` from now on, so that a command can clean up.

    A signal that is ignored stays ignored.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # as SIGHUP is under nohup
            signal.signal(number, signal.default_int_handler)


def uninterruptible() -> None:
    """Ignores SIGINT, SIGTERM and SIGHUP from now on, so that a second Ctrl+C does not stop the clean-up."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
