"""What a finalizer may do: end the attempt of a response that the app dropped without reading or closing it.

The rule: a finalizer takes no lock that may be held below it. The garbage collector may run it in the middle of any
code, also of a span processor or a metric aggregation that holds a lock of its own; ending a span there would wait for
that lock for ever. So whoever is below on the stack decides: the app, and the end is told now; telemetry or a lock of
the standard library, and it is told with the next event of any attempt.
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
"""The ends that were put off. Who finds some here calls `drain`."""


class _Process:
    """Which process this is: it counts the forks that led to it."""

    forks = 0


def process() -> int:
    """What `finalize` wants to know of whoever is to be finalized, from when it was made."""
    return _Process.forks


def _forked() -> None:
    """In the child of a fork: what was under way in the parent is the parent's to end."""
    _Process.forks += 1
    deferred.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@guarded(None)
def finalize(end: Callable[[], None], born_in: int) -> None:
    """Calls `end`, which must not raise, from a `__del__`: now, or later if that might wait for a lock.

    `born_in` is the `process()` of when it began: a copy that a forked child drops has not ended.
    """
    if born_in != _Process.forks:
        return
    if _may_hold_a_lock(sys._getframe(2).f_back):
        deferred.append(end)
    else:
        end()


def drain() -> None:
    """Tells the ends that had to be put off. Called where the library runs in code that holds no lock."""
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
