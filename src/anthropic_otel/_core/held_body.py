"""The body that a call has returned, where it is not the body of one of its attempts."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from anthropic_otel._core.errors import call_error_type
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.semconv import AttemptOutcome


class HeldBody:
    """A body that a call's method has returned and that no attempt of the call has, such as a middleware's stream.

    It ends once, with `end` or `fail`. Later ends are ignored.
    """

    __slots__ = ("_claim", "_on_end", "error_type", "outcome")

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._claim = Lock()
        self.outcome: AttemptOutcome | None = None
        self.error_type: str | None = None

    @guarded(None)
    def end(self, outcome: AttemptOutcome) -> None:
        """The body has ended: it was read (`COMPLETED`), or closed or dropped before its end (`ABANDONED`)."""
        if self._claim.acquire(blocking=False):
            self.outcome = outcome
            self._on_end()

    @guarded(None)
    def fail(self, error: BaseException) -> None:
        """Reading the body has raised `error`."""
        if self._claim.acquire(blocking=False):
            failed = isinstance(error, Exception)
            self.outcome = AttemptOutcome.FAILED if failed else AttemptOutcome.CANCELLED
            self.error_type = call_error_type(error) if isinstance(error, Exception) else None
            self._on_end()
