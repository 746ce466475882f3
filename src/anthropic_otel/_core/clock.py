"""Defines the clock by which durations are measured. A test can use another one.

Rule: durations are differences of `now()`, integers in nanoseconds; but what is measured at every chunk of a body is a
difference of `seconds()`. The wall clock is read once per call and once per attempt without a call, to place the spans
on the calendar.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Reads the time. No method raises."""

    def now(self) -> int:
        """Returns a monotonic time in nanoseconds. Only the difference of two has a meaning."""
        ...

    def seconds(self) -> float:
        """Returns the same time as `now` in seconds. To subtract two takes less than half as long as with integers."""
        ...

    def wall(self) -> int:
        """Returns the nanoseconds since the epoch. They jump if the machine's clock is set."""
        ...


class SystemClock:
    """The machine's clocks. All are functions of the standard library, so that a reading is one C call."""

    now = staticmethod(time.perf_counter_ns)
    seconds = staticmethod(time.perf_counter)
    wall = staticmethod(time.time_ns)
