"""Implements the queues that the app's path appends to, and that are processed by one thread at a time.

Rule: to append takes no lock and never waits. A lock that nobody will release is replaced: that of a parent process, or
of a thread that was interrupted just as it had got it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from threading import get_ident
from typing import Final, TypeVar

from anthropic_otel._core.finalizer import fork_generation
from anthropic_otel._otel.forks import measuring

Entry = TypeVar("Entry")


class Queue(deque[Entry]):
    """A queue of entries, oldest first. `take` takes them out and processes them, in one thread at a time.

    With `lost` entries or more, if the thread that last processed the queue is not in `process` any more, it is taken
    to have been interrupted, and the lock is replaced. So a second thread may be in `take`, but very rarely. Beyond
    `maxlen` entries the oldest are dropped; `None` is no limit.
    """

    def __init__(self, take: Callable[[], None], lost: int, maxlen: int | None = None) -> None:
        super().__init__(maxlen=maxlen)
        self._take: Final = take
        self._lost: Final = lost
        self._lock = threading.Lock()
        self._thread: int | None = None
        """The id of the thread that processes the queue, or that did it last. `None` before one has."""
        self._created_in = fork_generation()

    def process(self, patience: float = 0.0) -> None:
        """Calls `take`. If another thread is in it, waits up to `patience` seconds; if it still is, does nothing.

        Raises what `take` raises. A fork waits meanwhile, up to 0.1 s; see `forks`.
        """
        interrupted = len(self) >= self._lost and self._thread not in measuring
        if interrupted or self._created_in != fork_generation():
            self._lock, self._created_in = threading.Lock(), fork_generation()
        lock, thread = self._lock, get_ident()
        measuring[thread] = None
        try:
            if lock.acquire(timeout=patience):
                try:
                    self._thread = thread
                    self._take()
                finally:
                    lock.release()
        finally:
            measuring.pop(thread, None)
