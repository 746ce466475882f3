"""One invocation of an SDK method: its attempts, the backoff between them, and how it ended for the app.

The rule: a call is over when the SDK method has returned *and* every body that it returned has ended, whichever comes
last. It ends exactly once.

    the method  │ the last attempt       │ outcome
    ────────────┼────────────────────────┼────────────────────────────────────────────────────────────
    returned    │ completed              │ succeeded; recovered if an attempt before it had failed
    returned    │ failed in its body     │ failed
    returned    │ cancelled, abandoned   │ the same word
    raised      │ failed                 │ exhausted if it was retryable and no retry was left, else failed
    was stopped │ any                    │ cancelled
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from anthropic_otel._core import headers as h
from anthropic_otel._core.attempt import Attempt, Retry
from anthropic_otel._core.errors import body_error_type, call_error_type
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.semconv import AttemptOutcome, CallOutcome, RetrySource

if TYPE_CHECKING:
    from anthropic_otel._core.clock import Clock
    from anthropic_otel._core.observer import Observer
    from anthropic_otel._core.target import Target


@dataclass(frozen=True)
class Invocation:
    """What an SDK method was called with, as far as it may be recorded.

    `operation` is `None` where only the request's URL tells it. `traced_by_sdk` is whether the SDK is expected to make
    the call span itself, `propagates` whether it may send trace context. `max_retries` is `None` where it is unknown.
    `longest_retry_after` is the longest `retry-after`, in seconds, that the SDK obeys.
    """

    operation: str | None = None
    model: str | None = None
    stream: bool = False
    address: str | None = None
    port: int | None = None
    max_retries: int | None = None
    traced_by_sdk: bool = False
    propagates: bool = True
    longest_retry_after: float = float("inf")


class Call:
    """The facts of one call. Times are nanoseconds of the clock, `wall` is since the epoch. No method raises."""

    __slots__ = (
        "_failures",
        "_last",
        "_open",
        "_raised",
        "_under_way",
        "_unsettled",
        "active",
        "address",
        "attempts",
        "clock",
        "duration",
        "error_type",
        "invocation",
        "observed",
        "observer",
        "operation",
        "outcome",
        "over_for_sdk",
        "started",
        "wall",
    )

    def __init__(self, invocation: Invocation, observer: Observer, clock: Clock) -> None:
        self.invocation: Final = invocation
        self.observer: Final = observer
        self.clock: Final = clock
        self.started: Final = clock.mark()
        self.wall: Final = clock.wall()
        self.attempts = 0
        self.active = 0
        """The time that the attempts took together. The rest of the call's duration is backoff."""
        self.outcome: CallOutcome | None = None
        self.error_type: str | None = None
        self.duration = 0
        self.observed: Any = None
        self.over_for_sdk = False
        """Whether the SDK method has returned or raised. Its body may be unread."""
        self.operation: str | None = invocation.operation
        """The operation's name, from the SDK or from the last attempt's URL; `None` for a call without either."""
        self.address: str | None = invocation.address
        """The host that the call's last attempt went to, or the client's base URL where none was sent."""
        self._last: Attempt | None = None
        """The attempt that ended last, until the call has ended. An attempt knows its call, and a cycle of the two
        would leave both, and their spans, to the garbage collector."""
        self._failures = 0
        self._unsettled: list[Attempt] = []
        """Failed attempts of which it is not known yet whether a further one follows. Bodies end in any thread."""
        # A list and not a number, as its `append` and `pop` are atomic: bodies end in any thread.
        self._open: list[None] = []
        self._raised: CallOutcome | None = None
        # Gone, once it has ended: to delete it succeeds once, also between threads, and it takes no object of its own.
        self._under_way = True

    @property
    def retries(self) -> int:
        """How many attempts followed the first."""
        return max(self.attempts - 1, 0)

    # -- its attempts --------------------------------------------------------------------------------------------------

    def begin_attempt(self, target: Target) -> Attempt:
        """The next attempt, which is about to be sent. It knows of the backoff that ends with it."""
        attempt = Attempt(target, self.observer, self.clock, self)
        if self.attempts:
            attempt.retry = self._retry(attempt.started)
            self._settle(fatal=False)
        self.attempts += 1
        self._open.append(None)
        return attempt

    def _retry(self, now: int) -> Retry:
        failed = self._unsettled[-1] if self._unsettled else None
        if failed is None:
            # The attempt before is under way still, or did not fail: a fallback, not a retry after a backoff.
            return Retry(self.attempts, None, None, None)
        delay = max(now - failed.started - failed.duration, 0)
        return Retry(self.attempts, delay, failed.error_type, self._source(failed))

    def _source(self, failed: Attempt) -> RetrySource:
        asked = h.retry_after(failed.headers, failed.wall / 1e9) if failed.headers else None
        obeyed = asked is not None and asked <= self.invocation.longest_retry_after
        return RetrySource.RETRY_AFTER if obeyed else RetrySource.BACKOFF

    def attempt_ended(self, attempt: Attempt) -> None:
        """An attempt of this call has ended, in any thread. Called within the guard of its end."""
        self.operation, self.address = attempt.operation, attempt.target.address
        if self.outcome is None:
            self._last = attempt
        self.active += attempt.duration
        if attempt.outcome is AttemptOutcome.FAILED:
            self._failures += 1
            self._unsettled.append(attempt)
        self._open.pop()
        if self.over_for_sdk:
            self._end_if_over()

    def hold(self) -> Callable[[], None]:
        """Keeps the call from being over until the function that is returned has been called; it counts once."""
        self._open.append(None)
        releases = itertools.count()

        @guarded(None)
        def release() -> None:
            if not next(releases):
                self._open.pop()
                self._end_if_over()

        return release

    def _settle(self, *, fatal: bool) -> None:
        while self._unsettled:
            try:
                failed = self._unsettled.pop(0)
            except IndexError:
                # Another thread was faster.
                return
            self.observer.attempt_settled(failed, fatal=fatal)

    # -- its end -------------------------------------------------------------------------------------------------------

    def returned(self, error: BaseException | None = None) -> None:
        """The SDK method has returned, or raised `error`. Called in the app's own context."""
        try:
            if error is not None:
                self._ended_with(error)
            self.over_for_sdk = True
            self.observer.call_returned(self)
            if not self._open:
                self._end_if_over()
        except Exception as failure:
            report("Call.returned", failure)

    def _ended_with(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            self._raised = CallOutcome.FAILED
            self.error_type = call_error_type(error)
        else:
            self._raised = CallOutcome.CANCELLED

    def _end_if_over(self) -> None:
        if self.outcome is not None:
            # An attempt that a task left behind by the call has sent after it: no further one follows.
            self._settle(fatal=True)
        if not self.over_for_sdk or self._open:
            return
        try:
            del self._under_way
        except AttributeError:
            return
        self.duration = self.clock.mark() - self.started
        try:
            self.outcome = self._conclude()
        finally:
            self.outcome = self.outcome or CallOutcome.FAILED
            if self._unsettled:
                self._settle(fatal=self.outcome in (CallOutcome.FAILED, CallOutcome.EXHAUSTED))
            self.observer.call_ended(self)
            self._last = None

    def _conclude(self) -> CallOutcome:
        last = self._last
        if self._raised is CallOutcome.FAILED and last is not None and self._out_of_retries(last):
            return CallOutcome.EXHAUSTED
        if self._raised is not None:
            return self._raised
        if last is None or last.outcome is AttemptOutcome.COMPLETED:
            return CallOutcome.RECOVERED if self._failures else CallOutcome.SUCCEEDED
        if last.outcome is AttemptOutcome.FAILED:
            self.error_type = body_error_type(last)
            return CallOutcome.FAILED
        return CallOutcome.CANCELLED if last.outcome is AttemptOutcome.CANCELLED else CallOutcome.ABANDONED

    def _out_of_retries(self, last: Attempt) -> bool:
        most = self.invocation.max_retries
        return last.retryable and self.retries > 0 and (most is None or self.retries >= most)
