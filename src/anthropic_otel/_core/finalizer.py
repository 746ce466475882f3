"""Ends the attempt of a response that the app dropped without reading or closing it.

The rule: a finalizer takes no lock that may be held below it. The garbage collector may run it in the middle of any
code, also of a span processor or a metric aggregation that holds a lock of its own; ending a span there would wait for
that lock for ever. So whoever is below on the stack decides: the app, and the attempt ends now; telemetry or a lock of
the standard library, and it ends with the next event of any attempt.
"""

from __future__ import annotations

import sys
from collections import deque
from types import FrameType
from typing import Final

from anthropic_otel._core.attempt import Attempt, End
from anthropic_otel._core.guard import guarded

_LOCKING: Final = frozenset({"opentelemetry", "threading", "queue", "logging", "multiprocessing"})
_deferred: Final[deque[tuple[Attempt, End]]] = deque()


@guarded(None)
def finalize(attempt: Attempt, how: End) -> None:
    """Ends `attempt` from a finalizer. Never raises and never waits for a lock."""
    if attempt.outcome is not None:
        return
    if _may_hold_a_lock(sys._getframe(2)):
        _deferred.append((attempt, how))
    else:
        attempt.end(how)


def drain() -> None:
    """Ends the attempts that had to be put off. Called where the library runs in code that holds no lock."""
    while _deferred:
        try:
            attempt, how = _deferred.popleft()
        except IndexError:
            # Another thread was faster.
            return
        attempt.end(how)


def _may_hold_a_lock(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] in _LOCKING:
            return True
        frame = frame.f_back
    return False
