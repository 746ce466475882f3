"""Starts a program, passes signals on to it, and returns its exit status.

Rule: the program shares the terminal's foreground and the standard streams with this process. A signal that the
terminal sends to the whole foreground, such as that of Ctrl-C, reaches the program by itself and is not sent again. A
signal that `kill` or a supervisor sends to this process alone is passed on, if it is one of `_PASSED_ON` that is not
ignored.
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
"""The seconds in which a sender's repeated signal counts once: `timeout` sends it to us, then to the group."""
_KERNEL: Final = 0x80
"""The `si_code` of a signal from the kernel, which sends those of the terminal."""
NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126


class NotStarted(Exception):
    """The program could not be started. `status` is what a shell would exit with: 127 if it was not found, else 126."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status: Final = status


def variables(target: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Returns a copy of `environment` in which Python programs send their events to the listener at `target`.

    It has `target`, `127.0.0.1:PORT:TOKEN`, in the variable `ANTHROPIC_OTEL_RUN`, and the folder of our `sitecustomize`
    as the first entry of `PYTHONPATH`, before the other ones that are not empty.
    """
    from anthropic_otel import _live

    hook = os.path.join(os.path.dirname(os.path.abspath(str(_live.__file__))), _HOOK)
    own = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != hook]
    return {**environment, VARIABLE: target, "PYTHONPATH": os.pathsep.join([hook, *own])}


class Child:
    """A running program, which the constructor starts with the arguments `command` and the variables `environment`.

    From then on this process handles the signals to be passed on; where `sigwaitinfo` exists, it handles SIGCHLD too,
    and blocks all of them. So construct it in the main thread. Raises `NotStarted`, with the handlers restored, if the
    program cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._sent: dict[tuple[int, int], float] = {}
        self._signals: Final = _caught()
        self._early: list[int] = []
        # A signal that the shell has set to be ignored stays ignored, here and in the program. The program gets the
        # default action of every other one.
        before = {number: signal.signal(number, self._note) for number in self._signals}
        try:
            self._process: Final = subprocess.Popen(command, env=environment)
        except OSError as error:
            for number, handler in before.items():
                signal.signal(number, handler)
            status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
            raise NotStarted(f"{command[0]}: {error.strerror}", status) from error
        if hasattr(signal, "sigwaitinfo"):
            # With its default action SIGCHLD would be dropped before `sigwaitinfo` could return it.
            signal.signal(signal.SIGCHLD, self._note)
            # Threads that are started from now on inherit the mask, so that none of them receives a signal.
            signal.pthread_sigmask(signal.SIG_BLOCK, {*self._signals, signal.SIGCHLD})

    def _note(self, number: int, frame: Any) -> None:
        self._early.append(number)

    def wait(self) -> int:
        """Waits until the program ends, and returns its exit status, which is 128 + N if signal N ended it.

        Passes on signals meanwhile, apart from the terminal's. Afterwards they and SIGCHLD are unblocked and have their
        default actions, where `sigwaitinfo` exists. Call it once, in the main thread.
        """
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
            received = signal.sigwaitinfo(waited)
            by_terminal = received.si_code == _KERNEL
            if received.si_signo != signal.SIGCHLD and not by_terminal:
                self._pass_on(received.si_signo, received.si_pid)
        # The program got all signals until now. From here on an interrupt ends the summary.
        while signal.sigtimedwait(waited, 0) is not None:
            pass
        for number in waited:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, waited)

    def _poll(self) -> None:
        """Waits for the program's end, and passes on signals, on systems that do not report a signal's sender.

        There, SIGINT and SIGQUIT are taken to be from the terminal if this process is in its foreground, and are not
        passed on.
        """
        while True:
            try:
                self._process.wait(0.1)
                return
            except subprocess.TimeoutExpired:
                pass
            self._pass_on_early()

    def _pass_on_early(self) -> None:
        """Passes on the signals that our handlers have received so far, whose senders are unknown.

        Leaves out SIGINT and SIGQUIT if this process is in the terminal's foreground: the program has got them too.
        """
        while self._early:
            number = self._early.pop(0)
            typed = number in (signal.SIGINT, getattr(signal, "SIGQUIT", None)) and _in_foreground()
            if number in self._signals and not typed:
                self._pass_on(number, 0)

    def _pass_on(self, number: int, sender: int) -> None:
        """Sends signal `number` to the program, unless the same process sent the same one less than 0.2 seconds ago.

        `sender` is that process's id, 0 if it is unknown.
        """
        now = time.monotonic()
        last = self._sent.get((number, sender))
        self._sent[number, sender] = now
        if last is None or now - last > _AGAIN:
            self._process.send_signal(number)


def _caught() -> list[int]:
    """Returns the numbers of the signals to pass on: those of `_PASSED_ON` that exist here and are not ignored."""
    numbers = [int(getattr(signal, name)) for name in _PASSED_ON if hasattr(signal, name)]
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def _in_foreground() -> bool:
    """Returns whether this process is in the foreground of the terminal at stdin, so that a typed Ctrl-C reaches it.

    `False` without a terminal, always `True` on Windows.
    """
    if sys.platform == "win32":
        return True
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
