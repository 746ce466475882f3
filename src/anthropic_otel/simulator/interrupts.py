"""Ends the simulator's commands by SIGINT or SIGTERM, without a traceback.

Rule: the signal handler only raises `KeyboardInterrupt`. A handler runs in the middle of the main thread's work; if it
set an event that this thread waits for, it could block on the event's lock.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def interruptible() -> Iterator[None]:
    """Runs its block until SIGINT or SIGTERM, which end it without an exception.

    Call it in the main thread only. Replaces the handlers of both signals and does not restore them.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        yield


def wait() -> None:
    """Blocks for ever: a signal ends it, and with it the block of `interruptible`, by a `KeyboardInterrupt`."""
    threading.Event().wait()
