"""Follows the failed attempts of one call: what came after each of them, and which retry of the SDK an attempt is."""

from __future__ import annotations

from typing import Final

from anthropic_otel._core import headers
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.recorder import AfterFailure
from anthropic_otel._core.request import Retry
from anthropic_otel._core.semconv import FALLBACK, NetworkCause, RetrySource


class Failures:
    """The failed attempts of one call, and its retries. Attempts may end in any thread.

    - `count`: how many attempts have failed before the end of the call. An answer that a middleware rejected counts.
    - `retries`: how many attempts followed a failed one.
    - `last`: the attempt that failed last before the end of the call, `None` without one. The call clears it.
    - `undecided`: the failed attempts of which it is not known yet whether the SDK retries.
    """

    __slots__ = ("_invocation", "_retry_count", "_sdk_attempts", "count", "last", "retries", "undecided")

    def __init__(self, invocation: Invocation) -> None:
        self._invocation: Final = invocation
        self.count = 0
        self.retries = 0
        self.last: Attempt | None = None
        self.undecided: Final[list[Attempt]] = []
        self._sdk_attempts = 0
        self._retry_count = 0
        """The highest number of a retry that the SDK has given to an attempt."""

    def add(self, attempt: Attempt, *, late: bool) -> None:
        """Adds an attempt that has failed to `undecided`.

        If its call had not ended before (`late`), it counts as the last.
        """
        self.undecided.append(attempt)
        if not late:
            self.count += 1
            self.last = attempt

    def decide(self, after: AfterFailure, next_started: int | None = None) -> None:
        """Calls `failure_decided` for each undecided attempt with what followed it: `after`.

        `next_started` is when the next attempt started, `None` without one.
        """
        while self.undecided:
            try:
                failed = self.undecided.pop(0)
            except IndexError:
                # Another thread was faster.
                return
            waited = next_started - failed.started - failed.duration if next_started is not None else None
            failed.recorder.failure_decided(failed, after, waited)

    @property
    def retries_left(self) -> int | None:
        """How often the SDK may retry after the attempt that began last.

        `None` if that is not known, also because the app decides on retries itself.
        """
        most = self._invocation.max_retries
        if most is None or self._invocation.own_retry_rule:
            return None
        return max(most + 1 - self._sdk_attempts, 0)

    def exhausted(self, asked_for_retry: bool) -> bool:
        """Returns whether the SDK has retried and has no retry left, after a failure that may be retried.

        `asked_for_retry` is whether a middleware raised what has the SDK retry. With a retry rule of the app, every
        failure may be retried. If it is not known how many retries the call may have, any retry counts as the last.
        """
        # An earlier failure that was retried is not what the call failed with.
        last = self.last if self.undecided else None
        retryable = last is not None and (last.retryable or self._invocation.own_retry_rule)
        if not (retryable or asked_for_retry):
            return False
        most, retries = self._invocation.max_retries, self._sdk_attempts - 1
        return retries > 0 and (most is None or retries >= most)

    # -- the next attempt ----------------------------------------------------------------------------------------------

    def retry(
        self,
        number: int,
        now: int,
        retry_count: int,
        by_transport: bool,
        failing: Attempt | None,
        answer: Attempt | None,
    ) -> Retry | None:
        """Counts the attempt that begins `now`; returns its `Retry`, or `None` if it is the call's first attempt.

        - `number`: how many attempts of the call began before it. `now`: a reading of the call's clock.
        - `retry_count`: the number that the SDK has given to it. `by_transport`: whether a transport sends it again.
        - `failing`: an attempt with a failed status whose body is still open, `None` without one.
        - `answer`: the last attempt that completed, `None` without one.

        It retries the last undecided failed attempt, else `failing`, else an answer that a middleware rejected, which
        shows in a higher `retry_count`. Only in these cases `retries` grows. Otherwise it is a fallback.
        """
        self._sdk_attempts += not by_transport
        highest, self._retry_count = self._retry_count, max(self._retry_count, retry_count)
        if not number:
            return None
        failed = self.undecided[-1] if self.undecided else None
        if failed is not None:
            self.retries += 1
            source = RetrySource.TRANSPORT if by_transport else self._source_of_backoff(failed)
            return Retry(number, _since(failed, now), failed.error_type, source)
        if failing is not None:
            self.retries += 1
            return Retry(number, None, str(failing.status))
        if retry_count > highest:
            # A middleware has rejected the answer, so that the SDK retries. The answer counts as failed.
            self.retries += 1
            self.count += 1
            delay = _since(answer, now) if answer is not None else None
            return Retry(number, delay, NetworkCause.APP_EXCEPTION.value, RetrySource.BACKOFF)
        # The attempt before has not ended, or did not fail: this is a fallback, not a retry after a backoff.
        return Retry(number, None, FALLBACK)

    def _source_of_backoff(self, failed: Attempt) -> RetrySource:
        """Returns what decided the backoff after `failed`: its `retry-after` if the SDK obeys that, else the SDK."""
        told = failed.error_headers if not failed.hides_response else None
        # A date is compared with the time at which the SDK begins to wait.
        ended = (failed.wall + failed.duration) / 1e9
        asked = headers.retry_after(told, ended) if told is not None else None
        obeyed = asked is not None and asked <= self._invocation.max_retry_after
        return RetrySource.RETRY_AFTER if obeyed else RetrySource.BACKOFF


def _since(attempt: Attempt, now: int) -> int:
    """Returns the time from the end of `attempt` to `now`.

    It is 0 if a clock that two threads read seems to run backwards.
    """
    return max(now - attempt.started - attempt.duration, 0)
