"""Ends the attempt of a response that the app dropped without reading or closing it, from its finalizer.

Rule: a finalizer waits for no lock. The garbage collector may run it in the middle of a span processor or a metric
aggregation that holds a lock of its own, and ending a span there would wait for that lock for ever. If the interrupted
frame is in OpenTelemetry, threading, queue, logging or multiprocessing, the end is queued until the next event;
otherwise it is reported at once.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Final

from anthropic_otel._core.guard import guarded

_LOCKING: Final = frozenset({"opentelemetry", "threading", "queue", "logging", "multiprocessing"})
_STARTING: Final = frozenset({"threading", "multiprocessing"})
_STARTS: Final = frozenset({"run", "_bootstrap", "_bootstrap_inner"})
"""The functions below all code of a thread or process. They hold no lock while they run what the app gave them."""

deferred: Final[deque[Callable[[], None]]] = deque()
"""The ends that are queued. If it is not empty, the library's next entry point calls `drain`."""


class _Fork:
    """Which process this is, by the number of forks that led to it."""

    generation = 0


def fork_generation() -> int:
    """The fork generation. Pass it to `finalize`, so that a forked child does not end its parent's attempts."""
    return _Fork.generation


def _forked() -> None:
    """Runs in the child of a fork: the parent ends what was under way in it."""
    _Fork.generation += 1
    deferred.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@guarded(None)
def finalize(end: Callable[[], None], created_in: int) -> None:
    """Calls `end`, which must not raise, from a `__del__`: now, or later if that might wait for a lock.

    `created_in` is the `fork_generation()` of when the object was made. A copy that a forked child drops has not ended.
    """
    if created_in != _Fork.generation:
        return
    if _may_hold_a_lock(sys._getframe(2).f_back):
        deferred.append(end)
    else:
        end()


def drain() -> None:
    """Reports the queued ends. Called where the library runs in code that holds no lock."""
    while deferred:
        try:
            end = deferred.popleft()
        except IndexError:
            # Another thread was faster.
            return
        end()


def _may_hold_a_lock(frame: FrameType | None) -> bool:
    something_above = False
    while frame is not None:
        library = str(frame.f_globals.get("__name__")).partition(".")[0]
        if something_above and library in _STARTING and frame.f_code.co_name in _STARTS:
            return False
        if library in _LOCKING:
            return True
        something_above = True
        frame = frame.f_back
    return False
