"""Defines the mark on an HTTP client that was instrumented by itself, or excluded from an instrumented process.

Rule: it is in the client's `__dict__`, so that a copy of the client has it too.
"""

from __future__ import annotations

from typing import Any, Final

from anthropic_otel._core.runtime import Runtime

MARK: Final = "_anthropic_otel"
"""The key in an HTTP client's `__dict__` of the `Mark` that says how that client is recorded. Copies share the mark."""


class Mark:
    """Says which `runtime` records one HTTP client; `None` excludes the client from an instrumented process.

    `calls` is whether calls of the SDK are recorded too: an SDK client was instrumented, and not only its HTTP client.
    `excluded_from` is the runtime of the process that an excluded client was excluded from. A mark is over once its
    runtime, or that, is not active any more. A deep copy is the same mark. One that is unpickled excludes its client,
    as another process has no such runtime, and is never over.
    """

    __slots__ = ("calls", "excluded_from", "runtime")

    def __init__(
        self, runtime: Runtime | None = None, *, calls: bool = False, excluded_from: Runtime | None = None
    ) -> None:
        self.runtime: Final = runtime
        self.calls: Final = calls
        self.excluded_from: Final = excluded_from

    @property
    def is_over(self) -> bool:
        """Whether `runtime`, else `excluded_from`, is not active any more. `False` if there is neither.

        `uninstrument` cannot remove the mark from the copies of a client.
        """
        holds = self.runtime or self.excluded_from
        return holds is not None and not holds.active

    def __deepcopy__(self, memo: object) -> Mark:
        return self

    def __reduce__(self) -> tuple[type[Mark], tuple[()]]:
        return (Mark, ())


def mark_of(http_client: Any) -> Mark | None:
    """Returns the mark of an HTTP client; `None` without one, if it is over, and for an object without a `__dict__`."""
    try:
        mark = http_client.__dict__.get(MARK)
    except AttributeError:
        return None
    return mark if isinstance(mark, Mark) and not mark.is_over else None
