"""The lock of whoever changes what is instrumented: two threads that do so at once would do everything twice.

Rule: nothing is imported while it is held. Another thread may hold the lock of an import, and wait for this one.
"""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager
from typing import Any


class _Held:
    lock = threading.RLock()


def changing() -> AbstractContextManager[Any]:
    """A context manager in which no other thread changes what is instrumented. It may be entered again within."""
    return _Held.lock


def _forked() -> None:
    # In a child nobody would release what another thread of its parent held.
    _Held.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
