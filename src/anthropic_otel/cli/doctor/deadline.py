"""The time that `doctor` may take in all, and work that is not waited for beyond it.

Rule: what may block runs in a daemon thread. A name look-up cannot be interrupted, so it is left behind instead.
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
"""The seconds that a network gets in any case. On a machine that was slow to load, what is late would say nothing."""


def seconds_left() -> float:
    """What is left of five seconds since the command was loaded."""
    return max(0.0, _LIMIT - (time.monotonic() - _STARTED))


class Deadline:
    """A point in time, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self._at: Final = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """The seconds that are left, never less than 0."""
        return max(0.0, self._at - time.monotonic())

    def before(self, seconds: float) -> Deadline:
        """The deadline that is `seconds` earlier, for what something else must follow."""
        return Deadline(max(0.0, self.remaining - seconds))

    def at_least(self, seconds: float) -> Deadline:
        """The deadline, or so many seconds from now if that is later."""
        return Deadline(max(self.remaining, seconds))


class Work(Generic[T]):
    """A function that runs in a thread of its own from now on."""

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
        """What the function returned, or `otherwise()` if it has not by the deadline. Raises what it raised."""
        self._thread.join(deadline.remaining)
        for error in self._errors:
            raise error
        return self._results[0] if self._results else otherwise()
