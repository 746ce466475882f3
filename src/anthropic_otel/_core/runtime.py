"""What the adapters share: who observes, by which clock, and whether anything is to be observed at all.

The rule: an adapter holds one `Runtime` and asks it at every use, so that switching off is one assignment, whatever
functions of ours other libraries have kept a reference to.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from anthropic_otel._core.attempt import Attempt, Retry
from anthropic_otel._core.call import Call, Invocation
from anthropic_otel._core.clock import Clock, SystemClock
from anthropic_otel._core.finalizer import drain
from anthropic_otel._core.observer import Observer
from anthropic_otel._core.target import Target

current_call: Final[ContextVar[Call | None]] = ContextVar("anthropic_otel_call", default=None)
"""The call whose SDK method is running, in this thread or task."""


class Runtime:
    """One instrumentation: of the process, or of the HTTP clients that were named to it."""

    __slots__ = ("active", "clock", "observer", "phases")

    def __init__(self, observer: Observer, clock: Clock | None = None, *, phases: bool = True) -> None:
        self.observer = observer
        self.phases = phases
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.active = True

    def begin_call(self, invocation: Callable[[], Invocation]) -> Call | None:
        """A call that is about to run, or `None` when nobody is to learn of it. Then `invocation` is not asked for."""
        drain()
        if not self.active or not self.observer.watches():
            return None
        call = Call(invocation(), self.observer, self.clock)
        self.observer.call_started(call)
        return call

    def begin_attempt(self, target: Target, call: Call | None, resend_count: int) -> Attempt | None:
        """An attempt that is about to be sent, or `None` when nobody is to learn of it.

        `resend_count` is what the request itself says, for an attempt whose call is not known.
        """
        drain()
        if not self.active:
            return None
        if call is not None:
            # Who has begun to suppress instrumentation within the call has made a span of it, and means others.
            return call.begin_attempt(target)
        if not self.observer.watches():
            return None
        attempt = Attempt(target, self.observer, self.clock)
        if resend_count:
            attempt.retry = Retry(resend_count, None, None, None)
        return attempt
