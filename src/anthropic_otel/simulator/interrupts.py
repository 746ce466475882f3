"""How the simulator's commands end: by SIGINT or SIGTERM, in order.

Rule: the handler raises and sets nothing. A handler runs in the middle of whatever the main thread does, and one
that sets the event which that thread waits for may wait for the event's own lock, for ever.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block either signal ends the block, without an exception. Only for the main thread."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        yield


def wait() -> None:
    """Waits until the block of `interruptible` is ended."""
    threading.Event().wait()
