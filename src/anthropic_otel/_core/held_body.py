"""Holds a call open for a returned body that is not the body of one of its attempts."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from anthropic_otel._core.cause import type_name
from anthropic_otel._core.errors import call_error_type
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.semconv import AttemptOutcome


class HeldBody:
    """A body that a call's method returned and that no attempt of the call has, such as an SDK middleware's stream.

    `on_end` is called with it at the first `end` or `fail`, after the attributes were set; later ones are ignored.
    Thread-safe. No method raises an error of its own.

    - `outcome`: how the body ended, `None` before.
    - `error_type`, `exception_type`: if reading raised an `Exception`, the `error.type` that a call has for it, and the
      name of its class; else `None`.
    """

    __slots__ = ("_claim", "_on_end", "error_type", "exception_type", "outcome")

    def __init__(self, on_end: Callable[[HeldBody], None]) -> None:
        self._on_end = on_end
        self._claim = Lock()
        self.outcome: AttemptOutcome | None = None
        self.error_type: str | None = None
        self.exception_type: str | None = None

    @guarded(None)
    def end(self, outcome: AttemptOutcome) -> None:
        """Ends the body with `outcome` and calls `on_end`. Does nothing if the body has ended.

        `COMPLETED` is for a body that was read to its end, `ABANDONED` for one that was closed or dropped before.
        """
        if self._claim.acquire(blocking=False):
            self.outcome = outcome
            self._on_end(self)

    @guarded(None)
    def fail(self, error: BaseException) -> None:
        """Ends the body as `FAILED`, because reading it raised `error`; as `CANCELLED` if that is no `Exception`.

        Does nothing if the body has ended. Else sets the types of an `Exception`, and calls `on_end`.
        """
        if self._claim.acquire(blocking=False):
            failed = isinstance(error, Exception)
            self.outcome = AttemptOutcome.FAILED if failed else AttemptOutcome.CANCELLED
            if failed:
                self.error_type, self.exception_type = call_error_type(error), type_name(error)
            self._on_end(self)
