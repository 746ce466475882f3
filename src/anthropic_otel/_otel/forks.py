"""Delays each fork of the process until no thread of it is in a measurement of ours, for 0.1 s at most.

Rule: a thread that measures, or processes a queue of what is to be reported, has an entry in a dictionary, which takes
no lock; a fork waits until there is no entry, or goes on after 0.1 s. The child begins with no entry. Where the system
has no fork, nothing is done.

The OpenTelemetry SDK has a lock per attribute set of a metric. If another thread holds one at the fork, the lock stays
locked in the child, which does not have that thread, and the first measurement there waits for it for ever.
"""

from __future__ import annotations

import os
import time
from typing import Final

_PATIENCE: Final = 0.1
"""The seconds that a fork waits at most. A measurement takes some 20 µs."""

measuring: Final[dict[int, None]] = {}
"""The ids of the threads that are measuring or processing a queue now, as keys: to set and to pop one is atomic.

An entry that an interrupt has left behind is removed when the same thread next measures or processes.
"""


def _wait_for_measurements() -> None:
    deadline = time.monotonic() + _PATIENCE
    while measuring and time.monotonic() < deadline:
        # Lets the thread that measures run.
        time.sleep(0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait_for_measurements, after_in_child=measuring.clear)
