"""Ends what the app dropped without reading or closing it, such as a response, from the finalizer of its wrapper.

Rule: a finalizer waits for no lock. The garbage collector may run it in the middle of a span processor or a metric
aggregation that holds a lock of its own, and ending a span there would wait for that lock for ever. If the interrupted
code is in OpenTelemetry, threading, queue, logging or multiprocessing, or was called from there, the end is queued
until the library runs next; otherwise it is reported at once. What starts a thread or a process does not count.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Final

from anthropic_otel._core.guard import guarded
from anthropic_otel._core.stack import package_of

_LOCKING: Final = frozenset({"opentelemetry", "threading", "queue", "logging", "multiprocessing"})
_STARTING: Final = frozenset({"threading", "multiprocessing"})
_STARTS: Final = frozenset({"run", "_bootstrap", "_bootstrap_inner"})
"""The functions that start all code of a thread or process. They hold no lock while they run the app's function."""

deferred: Final[deque[Callable[[], None]]] = deque()
"""The functions that `finalize` has queued. The library calls `drain` when it runs next, as before an attempt."""


class _Fork:
    """Holds the number of forks between this process and the one that imported this module."""

    generation = 0


def fork_generation() -> int:
    """Returns how many forks led to this process since the library was imported, for `created_in` of `finalize`."""
    return _Fork.generation


def _forked() -> None:
    """Runs in the child of a fork: counts it, and forgets the queued ends, which are the parent's to report."""
    _Fork.generation += 1
    deferred.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@guarded(None)
def finalize(end: Callable[[], None], created_in: int) -> None:
    """Calls `end`, which must not raise: now, or at the next `drain` if the interrupted code may hold a lock.

    To be called by a `__del__` itself, and by no function that it calls. `created_in` is what `fork_generation()`
    returned when the object was made. In a forked child `end` is not called for an object that was made before the
    fork, as it goes on in the parent.
    """
    if created_in != _Fork.generation:
        return
    if _may_hold_a_lock(sys._getframe(2).f_back):
        deferred.append(end)
    else:
        end()


def drain() -> None:
    """Calls the functions that `finalize` has queued. The caller must not hold any lock. Thread-safe."""
    while deferred:
        try:
            end = deferred.popleft()
        except IndexError:
            # Another thread was faster.
            return
        end()


def _may_hold_a_lock(frame: FrameType | None) -> bool:
    """Returns whether `frame` or one of its callers is in a library of `_LOCKING`; `False` for `None`.

    A caller that is the start of all code of a thread or process (`_STARTS`) ends the search without counting: it holds
    no lock while it runs the app's function. As `frame` itself, it counts.
    """
    something_above = False
    while frame is not None:
        library = package_of(frame)
        if something_above and library in _STARTING and frame.f_code.co_name in _STARTS:
            return False
        if library in _LOCKING:
            return True
        something_above = True
        frame = frame.f_back
    return False
