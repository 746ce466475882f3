"""Defines the clock that every duration is read from. A test can use another one.

Rule: durations are differences of `now()`, integers in nanoseconds. The wall clock is read once per call and once per
attempt without a call, to place the spans on the calendar.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Reads time in nanoseconds. No method raises."""

    def now(self) -> int:
        """Returns a monotonic time in nanoseconds. Only the difference of two has a meaning."""
        ...

    def wall(self) -> int:
        """Returns the nanoseconds since the epoch, which may jump when the machine's clock is set."""
        ...


class SystemClock:
    """The machine's clocks. `now` and `wall` are functions of the standard library, so that a reading is one C call."""

    now = staticmethod(time.perf_counter_ns)
    wall = staticmethod(time.time_ns)
