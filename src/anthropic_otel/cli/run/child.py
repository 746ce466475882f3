"""The program that is run: how it is started, what becomes of signals, and with what status it has ended.

Rule: the program is in the terminal's foreground with us and has the same standard streams. What the terminal sends to
all of the foreground, as Ctrl-C does, has reached it, and is not sent again. What is sent to this process alone, as
`kill` and supervisors do, is passed on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from anthropic_otel._live.follow import VARIABLE

_HOOK: Final = "hook"
_PASSED_ON: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
_AGAIN: Final = 0.2
"""The seconds in which the same signal of the same sender is one: `timeout` sends it to us, and then to all."""
_KERNEL: Final = 0x80
"""The `si_code` of a signal that the terminal has sent."""
NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126


class NotStarted(Exception):
    """The program could not be started. `status` is what a shell would exit with."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status: Final = status


def variables(target: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program that is to tell `target` of its calls."""
    from anthropic_otel import _live

    hook = os.path.join(os.path.dirname(os.path.abspath(str(_live.__file__))), _HOOK)
    own = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != hook]
    return {**environment, VARIABLE: target, "PYTHONPATH": os.pathsep.join([hook, *own])}


class Child:
    """A program that runs. Made in the main thread, as signals are set up for it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._sent: dict[tuple[int, int], float] = {}
        self._signals: Final = _caught()
        self._early: list[int] = []
        # What the shell has us ignore is left ignored, here and in the program. It has every other one by default.
        before = {number: signal.signal(number, self._note) for number in self._signals}
        try:
            self._process: Final = subprocess.Popen(command, env=environment)
        except OSError as error:
            for number, handler in before.items():
                signal.signal(number, handler)
            status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
            raise NotStarted(f"{command[0]}: {error.strerror}", status) from error
        if hasattr(signal, "sigwaitinfo"):
            # By default it would be dropped before it is waited for.
            signal.signal(signal.SIGCHLD, self._note)
            # In every thread that is started from now on, too: none of them may be the one that gets a signal.
            signal.pthread_sigmask(signal.SIG_BLOCK, {*self._signals, signal.SIGCHLD})

    def _note(self, number: int, frame: Any) -> None:
        self._early.append(number)

    def wait(self) -> int:
        """Waits for its end, passing signals on, and returns its status: 128 + N if signal N has ended it."""
        if hasattr(signal, "sigwaitinfo"):
            self._wait_for_signals()
        else:
            self._poll()
        return self._status()

    def _status(self) -> int:
        status = self._process.wait()
        return 128 - status if status < 0 else status

    def _wait_for_signals(self) -> None:
        waited = {*self._signals, signal.SIGCHLD}
        self._pass_on_early()
        while self._process.poll() is None:
            told = signal.sigwaitinfo(waited)
            by_terminal = told.si_code == _KERNEL
            if told.si_signo != signal.SIGCHLD and not by_terminal:
                self._pass_on(told.si_signo, told.si_pid)
        # The program has had what came until now. From here on an interrupt ends the summary.
        while signal.sigtimedwait(waited, 0) is not None:
            pass
        for number in waited:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, waited)

    def _poll(self) -> None:
        """Where the sender of a signal is unknown: what a terminal can send is the terminal's, if there is one."""
        while True:
            try:
                self._process.wait(0.1)
                return
            except subprocess.TimeoutExpired:
                pass
            self._pass_on_early()

    def _pass_on_early(self) -> None:
        """Passes on what has come to the handler, which does not know from whom."""
        while self._early:
            number = self._early.pop(0)
            typed = number in (signal.SIGINT, getattr(signal, "SIGQUIT", None)) and _in_foreground()
            if number in self._signals and not typed:
                self._pass_on(number, 0)

    def _pass_on(self, number: int, sender: int) -> None:
        now = time.monotonic()
        last = self._sent.get((number, sender))
        self._sent[number, sender] = now
        if last is None or now - last > _AGAIN:
            self._process.send_signal(number)


def _caught() -> list[int]:
    """The signals that are passed on: those that exist here and that we were not told to ignore."""
    numbers = [int(getattr(signal, name)) for name in _PASSED_ON if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def _in_foreground() -> bool:
    """Whether the terminal would send us what is typed there."""
    if sys.platform == "win32":
        return True
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
