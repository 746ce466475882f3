"""Limits the time of `doctor`, and runs functions that may block.

Rule: what may wait for the network runs in a daemon thread, because a name look-up cannot be interrupted. After the
deadline the command goes on without it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_LIMIT: Final = 4.8
_STARTED: Final = time.monotonic()
NETWORK: Final = 2.0
"""The least seconds for the network. With fewer, every check would be late on a machine that was slow to import."""


def seconds_left() -> float:
    """Returns the seconds that are left of the command's 4.8, which began when this module was imported; at least 0."""
    return max(0.0, _LIMIT - (time.monotonic() - _STARTED))


class Deadline:
    """A point in time: `seconds` after the construction of this object."""

    def __init__(self, seconds: float) -> None:
        self._at: Final = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """The seconds until the deadline, at least 0."""
        return max(0.0, self._at - time.monotonic())

    def before(self, seconds: float) -> Deadline:
        """Returns a new deadline `seconds` before this one, but not before now."""
        return Deadline(max(0.0, self.remaining - seconds))

    def at_least(self, seconds: float) -> Deadline:
        """Returns a new deadline: at the time of this one, or `seconds` from now if that is later."""
        return Deadline(max(self.remaining, seconds))


class Work(Generic[T]):
    """Runs `function` in a daemon thread, which the constructor starts."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function: Final = function
        self._results: Final[list[T]] = []
        self._errors: Final[list[BaseException]] = []
        self._thread: Final = threading.Thread(target=self._run, name="anthropic-otel-doctor", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as error:
            self._errors.append(error)

    def result(self, deadline: Deadline, otherwise: Callable[[], T]) -> T:
        """Waits for the function's end, and returns what it returned, or raises what it raised.

        If the function has not ended at the deadline, returns `otherwise()`; the thread runs on.
        """
        self._thread.join(deadline.remaining)
        for error in self._errors:
            raise error
        return self._results[0] if self._results else otherwise()
