"""What the guard has reported in a process, for tests that look at what it reports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from anthropic_otel._core import guard


@contextmanager
def fresh() -> Iterator[None]:
    """A block that meets a guard which has reported nothing yet."""
    before = set(guard._seen)
    guard._seen.clear()
    try:
        yield
    finally:
        guard._seen.clear()
        guard._seen.update(before)
