"""The clock that every duration is read from, so that a test can put another one in its place.

Rule: durations are differences of `now()`, integers in nanoseconds. The wall clock is read once per call and once per
attempt without a call, to place the spans on the calendar.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Reads time in nanoseconds. No method raises."""

    def now(self) -> int:
        """A monotonic time."""
        ...

    def wall(self) -> int:
        """The time since the epoch."""
        ...


class SystemClock:
    """The machine's clocks. Static functions of the standard library, so that a reading is one C call."""

    now = staticmethod(time.perf_counter_ns)
    wall = staticmethod(time.time_ns)
