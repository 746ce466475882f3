"""Limits the time of `doctor`, and runs work that may block.

Rule: what may block runs in a daemon thread. A name look-up cannot be interrupted, so nobody waits for it after the
deadline.
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
"""The least seconds for the network. With less, a machine that was slow to import would make every check late."""


def seconds_left() -> float:
    """Returns how much is left of the command's five seconds, which began when this module was imported."""
    return max(0.0, _LIMIT - (time.monotonic() - _STARTED))


class Deadline:
    """A point in time, `seconds` after its construction."""

    def __init__(self, seconds: float) -> None:
        self._at: Final = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """The seconds until the deadline, at least 0."""
        return max(0.0, self._at - time.monotonic())

    def before(self, seconds: float) -> Deadline:
        """Returns the deadline that is `seconds` earlier, but not in the past."""
        return Deadline(max(0.0, self.remaining - seconds))

    def at_least(self, seconds: float) -> Deadline:
        """Returns this deadline, or the one `seconds` from now if that is later."""
        return Deadline(max(self.remaining, seconds))


class Work(Generic[T]):
    """Runs a function in a daemon thread, which starts at once."""

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
        """Waits until the deadline and returns what the function returned, or `otherwise()` if it has not ended.

        Raises what the function raised.
        """
        self._thread.join(deadline.remaining)
        for error in self._errors:
            raise error
        return self._results[0] if self._results else otherwise()
