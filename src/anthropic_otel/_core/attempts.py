"""Follows the attempts of one call: which one answered, what came after each that failed, and which retry one is."""

from __future__ import annotations

from typing import Final

from anthropic_otel._core import headers
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.recorder import AfterFailure
from anthropic_otel._core.request import Retry
from anthropic_otel._core.retrying import headers_for_sdk, is_retryable
from anthropic_otel._core.semconv import FALLBACK, UNEXPECTED_CONTENT, AttemptOutcome, NetworkCause, RetrySource


class Attempts:
    """The attempts of one call. They may end in any thread.

    - `count`: how many have started. `retries`: how many of them followed a failed one.
    - `failed_count`: how many have failed before the end of the call. An answer that a middleware rejected counts.
    - `last_failed`: the one that failed last, `completed`: the one that completed last, before the end of the call.
      `None` without one, and after `forget`.
    - `undecided`: the failed attempts of which it is not known yet whether the SDK retries.
    """

    __slots__ = (
        "_answer",
        "_invocation",
        "_retry_count",
        "_sdk_attempts",
        "completed",
        "count",
        "failed_count",
        "last_failed",
        "retries",
        "undecided",
    )

    def __init__(self, invocation: Invocation) -> None:
        self._invocation: Final = invocation
        self.count = self.retries = self.failed_count = 0
        self.last_failed: Attempt | None = None
        self.completed: Attempt | None = None
        self._answer: Attempt | None = None
        """The attempt that ended last, if its status is below 400. A parsed reply is from it if none completed."""
        self.undecided: Final[list[Attempt]] = []
        self._sdk_attempts = 0
        self._retry_count = 0
        """The highest number of a retry that the SDK has given to an attempt."""

    def ended(self, attempt: Attempt, *, late: bool) -> None:
        """Records an attempt that has ended: a failed one as undecided, and what the call's outcome is made from.

        `late` is whether its call had ended before: then it is not counted for the outcome, but is undecided if it has
        failed.
        """
        failed = attempt.outcome is AttemptOutcome.FAILED
        if failed:
            self.undecided.append(attempt)
        if late:
            return
        if failed:
            self.failed_count += 1
            self.last_failed = attempt
        elif attempt.outcome is AttemptOutcome.COMPLETED:
            self.completed = attempt
        self._answer = attempt if attempt.status is not None and attempt.status < 400 else None

    def forget(self) -> None:
        """Forgets the attempts, but not the undecided ones: an object that keeps the call does not keep them alive."""
        self._answer = self.last_failed = self.completed = None

    def spoiled_answer(self) -> Attempt | None:
        """Returns the attempt that ended last if its 2xx, in memory and no stream, is no answer to its operation.

        Else `None`, and also if another attempt has completed, as the reply may be from that.
        """
        answer = self._answer
        # Not if another attempt completed, which the reply may be from. Not a stream either, as none was returned.
        if answer is None or self.completed is not None or answer.error_type != UNEXPECTED_CONTENT:
            return None
        return answer if answer.reading is None else None

    def had_failed_before(self, answering: Attempt | None) -> bool:
        """Returns whether an attempt had failed when `answering` was sent, the one whose body the method returned.

        With `None` it is the one that completed last; if none has completed, returns whether any attempt has failed.
        """
        answering = answering or self.completed
        return answering.after_failure if answering is not None else self.failed_count > 0

    def decide(self, after: AfterFailure, next_started: int | None = None) -> None:
        """Empties `undecided`. Tells the recorder of each attempt in it what followed: `after`, and how long it waited.

        `next_started` is when the next attempt started, `None` without one; the wait begins at the failed attempt's
        end.
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
        last = self.last_failed if self.undecided else None
        retryable = last is not None and (is_retryable(last) or self._invocation.own_retry_rule)
        if not (retryable or asked_for_retry):
            return False
        most, retries = self._invocation.max_retries, self._sdk_attempts - 1
        return retries > 0 and (most is None or retries >= most)

    # -- the next attempt ----------------------------------------------------------------------------------------------

    def begin(self, now: int, retry_count: int, by_transport: bool, failing: Attempt | None) -> Retry | None:
        """Counts the attempt that begins `now`; returns its `Retry`, or `None` if it is the call's first attempt.

        - `now`: a reading of the call's clock.
        - `retry_count`: the number that the SDK has given to it. `by_transport`: whether a transport sends it again.
        - `failing`: an attempt with a failed status whose body is still open, `None` without one.

        It retries the last undecided failed attempt, else `failing`, else an answer that a middleware rejected, which
        shows in a higher `retry_count` and then counts as failed. Only in these cases `retries` grows. Otherwise the
        reason of its `Retry` is a fallback.
        """
        number = self.count
        self.count += 1
        self._sdk_attempts += not by_transport
        if not number:
            self._retry_count = retry_count
            return None
        highest, self._retry_count = self._retry_count, max(self._retry_count, retry_count)
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
            self.failed_count += 1
            delay = _since(self.completed, now) if self.completed is not None else None
            return Retry(number, delay, NetworkCause.APP_EXCEPTION.value, RetrySource.BACKOFF)
        # The attempt before has not ended, or did not fail: this is a fallback, not a retry after a backoff.
        return Retry(number, None, FALLBACK)

    def _source_of_backoff(self, failed: Attempt) -> RetrySource:
        """Returns what decided the backoff after `failed`: its `retry-after` if the SDK obeys that, else the SDK."""
        told = headers_for_sdk(failed)
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
