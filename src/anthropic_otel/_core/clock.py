"""The clock that every duration is read from, so that a test can put another one in its place.

The rule: durations are differences of `now()`, integers in nanoseconds. The wall clock is read once per call and once
per attempt without a call, to place the spans on the calendar.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Reads time in nanoseconds. No method raises."""

    def now(self) -> int:
        """A monotonic time, for the phases and the chunks within an attempt."""
        ...

    def mark(self) -> int:
        """The same time, read where a call or an attempt starts or ends. A test's clock ticks here and only here."""
        ...

    def wall(self) -> int:
        """Nanoseconds since the epoch."""
        ...


class SystemClock:
    """The machine's clocks. Static functions of the standard library, so that a reading is one C call."""

    now = staticmethod(time.perf_counter_ns)
    mark = staticmethod(time.perf_counter_ns)
    wall = staticmethod(time.time_ns)
