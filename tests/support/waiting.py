"""Waiting in tests, on a machine that may be idle or may have much else to do.

Rule: the clock decides nothing. A test waits until what it waits for is there, and pytest's timeout, which is for hangs
only, is the one bound. Where the clock itself is what is tested, as with a client's timeout, the time that it is given
grows with the load of the machine.
"""

from __future__ import annotations

import gc
import os
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], *, every: float = 0.01) -> T:
    """The first true value of `look`, which is called again and again."""
    while not (found := look()):
        time.sleep(every)
    return found


def collect_garbage() -> None:
    """Collects all garbage. Python collects nothing while another thread does, as one of a simulator's may."""

    class Cycle:
        """Is collected, and by nothing else than a collection."""

    cycle: Any = Cycle()
    cycle.itself = cycle
    collected = weakref.ref(cycle)
    del cycle
    until(lambda: gc.collect() is not None and collected() is None)


def patience(seconds: float) -> float:
    """The seconds that something takes at most which takes far less than `seconds` on an idle machine."""
    return seconds * max(1.0, _runnable() / (os.cpu_count() or 1))


def _runnable() -> float:
    """How many threads of the machine have work to do: now or in the last minute, whichever are more; 0 if unknown."""
    try:
        minute, _, _, now, _ = Path("/proc/loadavg").read_text("ascii").split()
    except OSError:
        return 0.0
    return max(float(minute), float(now.partition("/")[0]))
