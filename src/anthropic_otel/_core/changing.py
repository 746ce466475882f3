"""Defines the lock under which `instrument()`, `uninstrument()` and the like change what is instrumented.

Without it, two threads that do so at once could do everything twice. Rule: nothing is imported while the lock is held.
Another thread may hold the lock of an import, and wait for this one.
"""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager
from typing import Any


class _Held:
    lock = threading.RLock()


def changing() -> AbstractContextManager[Any]:
    """Returns the lock as a context manager: while a thread is in it, others wait. A thread may enter it again.

    A forked child has a lock of its own, which no thread holds.
    """
    return _Held.lock


def _forked() -> None:
    # The child does not have the thread of its parent that may hold the old lock.
    _Held.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
