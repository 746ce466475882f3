"""What the adapters share: who observes, by which clock, and whether anything is to be observed at all.

The rule: an adapter holds one `Runtime` and asks it at every use, so that switching off is one assignment, whatever
functions of ours other libraries have kept a reference to.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from anthropic_otel._core.attempt import Attempt, Retry
from anthropic_otel._core.call import Call, Invocation
from anthropic_otel._core.clock import Clock, SystemClock
from anthropic_otel._core.finalizer import deferred, drain
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

    def watches(self) -> bool:
        """Whether anybody is to learn of what is about to run. Asked in the app's own context."""
        if deferred:
            drain()
        return self.active and self.observer.watches()

    def begin_call(self, invocation: Invocation) -> Call:
        """A call that is about to run."""
        call = Call(invocation, self.observer, self.clock)
        self.observer.call_started(call)
        return call

    def begin_attempt(self, target: Target, resend_count: int) -> Attempt:
        """An attempt that is about to be sent, and whose call is not known. `resend_count` is what its request says."""
        attempt = Attempt(target, self.observer, self.clock)
        if resend_count:
            attempt.retry = Retry(resend_count, None, None, None)
        return attempt
