"""Follows the attempts of one call: which one answered, what came after each that failed, and which retry one is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from anthropic_otel._core import headers
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.recorder import AfterFailure
from anthropic_otel._core.request import Retry
from anthropic_otel._core.retrying import headers_for_sdk, is_retryable
from anthropic_otel._core.semconv import FALLBACK, UNEXPECTED_CONTENT, AttemptOutcome, NetworkCause, RetrySource

_MOST_FAILURES: Final = 16


@dataclass(slots=True, eq=False, repr=False)
class Attempts:
    """The attempts of one call, which `invocation` describes. They may end in any thread.

    - `count`: how many have begun. `retries`: how many of them are retries, so neither the first one nor a fallback.
    - `failed_count`: how many have failed before the end of the call. An attempt that a middleware stopped, or whose
      answer a middleware rejected, counts too if the SDK then retried.
    - `completed`: the one that completed last, before the end of the call. `None` without one, and after `forget`.
    - `undecided`: the failed attempts of which it is not known yet whether another attempt follows.
    """

    invocation: Invocation
    count: int = 0
    retries: int = 0
    failed_count: int = 0
    completed: Attempt | None = None
    undecided: list[Attempt] = field(default_factory=list)
    _last_failed: Attempt | None = None
    _last_ended: Attempt | None = None
    """The attempt that ended last before the end of the call, but for failed ones that were `_retried`."""
    # Tuples, as those of most calls are empty, for which nothing is made.
    _answered_failures: tuple[Attempt, ...] = ()
    _retried: tuple[Attempt, ...] = ()
    """The attempts that were retried while their body was open, and that have not failed since."""
    _own_retries: int = 0
    """How many of `retries` the SDK or a middleware has sent, and not a transport."""
    _sdk_retries: int = 0
    """How many retries the SDK itself has sent: the highest `retry_count` that `begin` was passed.

    Each attempt that was begun without one adds 1, but for the first, and for those that a transport sent again.
    """

    def ended(self, attempt: Attempt, late: bool) -> None:
        """Records an attempt that has ended: a failed one as undecided, and what the call's outcome is made from.

        A failed one that was retried before its body ended is reported as retried. It is counted in `failed_count`, but
        is neither undecided nor the one that failed last.

        `late` is whether the call had ended before. Nothing is counted then: a failed attempt only becomes undecided,
        or is reported as retried.
        """
        outcome = attempt.ending.outcome
        failed = outcome is AttemptOutcome.FAILED
        if failed:
            if attempt.request_id is not None and not late:
                self._answered_failures = (*self._answered_failures, attempt)[-_MOST_FAILURES:]
            if attempt in self._retried:
                self._retried = tuple(other for other in self._retried if other is not attempt)
                self.failed_count += not late
                attempt.recorder.failure_decided(attempt, AfterFailure.RETRIED, 0)
                return
            self.undecided.append(attempt)
        if late:
            return
        if failed:
            self.failed_count += 1
            self._last_failed = attempt
        elif outcome is AttemptOutcome.COMPLETED:
            self.completed = attempt
        self._last_ended = attempt

    def forget(self) -> None:
        """Drops all references to attempts but `undecided`, as an object of the app may keep the call alive."""
        self._last_ended = self._last_failed = self.completed = None
        self._answered_failures = self._retried = ()

    @property
    def last_unretried(self) -> Attempt | None:
        """The attempt that failed last, if no other attempt has begun since it failed; else `None`.

        Also `None` after `forget`. Never an attempt that was retried while its body was open.
        """
        return self._last_failed if self.undecided else None

    def failure_with(self, answer: tuple[int, str | None]) -> Attempt | None:
        """Returns the first failed attempt whose response has the status and request id `answer`, `None` without one.

        Searches the last sixteen that failed with a request id before the end of the call. `None` too if `answer` has
        no request id, and after `forget`.
        """
        found = (one for one in self._answered_failures if (one.status, one.request_id) == answer)
        return next(found, None)

    def spoiled_answer(self) -> Attempt | None:
        """Returns the attempt that ended last if its 2xx, in memory and no stream, is no answer to its operation.

        Else `None`, and also if another attempt has completed, as the reply may be from that.
        """
        answer = self._last_ended
        # Not if another attempt completed, which the reply may be from. Not a stream either, as none was returned.
        if answer is None or self.completed is not None or answer.error_type != UNEXPECTED_CONTENT:
            return None
        return answer if answer.reading is None else None

    def had_failed_before(self, answering: Attempt | None) -> bool:
        """Returns the `after_failure` of `answering`, the attempt whose body the method returned.

        With `None` it is that of the attempt that completed last. If none has completed either, returns whether any
        attempt has failed.
        """
        answering = answering or self.completed
        return answering.after_failure if answering is not None else self.failed_count > 0

    def decide(self, after: AfterFailure, next_started: int | None = None) -> None:
        """Empties `undecided`. Tells the recorder of each attempt in it what followed: `after`, and the backoff.

        The backoff is the nanoseconds from the end of the failed attempt to `next_started`, at least 0. `next_started`
        is when the next attempt started, by the call's clock. With `None`, as no attempt followed, the backoff is
        `None`.
        """
        while self.undecided:
            try:
                failed = self.undecided.pop(0)
            except IndexError:
                # Another thread was faster.
                return
            waited = failed.time_since(next_started) if next_started is not None else None
            failed.recorder.failure_decided(failed, after, waited)

    def retries_left(self) -> int | None:
        """Returns how often the SDK may retry after the attempt that began last.

        `None` if that is not known, also because the app decides on retries itself.
        """
        most = self.invocation.max_retries
        if most is None or self.invocation.own_retry_rule:
            return None
        return max(most - self._sdk_retries, 0)

    def exhausted(self, asked_for_retry: bool) -> bool:
        """Returns whether the call has retried, has no retry left, and failed with what the SDK retries if one is left.

        - It has retried if the SDK or a middleware has sent a retry, as `begin` says. What a transport sent again does
          not count.
        - None is left if the SDK has sent `max_retries` retries (`_sdk_retries`), or if `max_retries` is not known.
        - The SDK retries such a failure if `asked_for_retry`, which is whether it retries for what the method raised,
          or if the attempt `last_unretried` `is_retryable`. With a retry rule of the app, any `last_unretried` counts
          as retryable.
        """
        last = self.last_unretried
        retryable = last is not None and (is_retryable(last) or self.invocation.own_retry_rule)
        if not (retryable or asked_for_retry):
            return False
        most = self.invocation.max_retries
        return self._own_retries > 0 and (most is None or self._sdk_retries >= most)

    # -- the next attempt ----------------------------------------------------------------------------------------------

    def begin(self, now: int, retry_count: int | None, by_transport: bool, failing: Attempt | None) -> Retry | None:
        """Counts the attempt that begins `now`; returns its `Retry`, or `None` if it is the call's first attempt.

        `Retry.number` is how many attempts of the call have begun before, fallbacks among them.

        - `now`: a reading of the call's clock.
        - `retry_count`: which retry of the SDK it is, as in `RequestFacts`. With `None` it counts as the SDK's next
          one, unless it is the first attempt or `by_transport`.
        - `by_transport`: whether a transport below the HTTP client sends it by itself, after another of the same send.
        - `failing`: an attempt with a failed status whose body is still open, `None` without one.

        It is a retry, counted in `retries`, of the first of these that there is:

        - the last attempt in `undecided`;
        - `failing`, unless `by_transport`;
        - an attempt that a middleware rejected or stopped, and that then counts as failed. There is one if
          `retry_count` is higher than the number of retries that the SDK had sent before (`_sdk_retries`).

        Else it is no retry, and the reason of its `Retry` is `FALLBACK`.
        """
        # Nothing is called in between, so that no two threads get the same number.
        number, before = self.count, self._sdk_retries
        self.count += 1
        if retry_count is not None:
            self._sdk_retries = max(before, retry_count)
        elif number and not by_transport:
            self._sdk_retries += 1
        if not number:
            return None
        # A slice, as another thread may decide it meanwhile.
        last = self.undecided[-1:]
        failed = last[0] if last else None
        if failed is not None:
            self.retries += 1
            self._own_retries += not by_transport
            delay = failed.time_since(now)
            by_sdk = self._sdk_retries > before
            source = RetrySource.TRANSPORT if by_transport else self._source_of_backoff(failed, delay, by_sdk)
            return Retry(number, delay, failed.error_type, source)
        # What a transport sends again is never `failing`, whose send has returned.
        if failing is not None and not by_transport:
            self.retries += 1
            self._own_retries += 1
            self._retried = (*self._retried, failing)
            return Retry(number, None, f"{failing.status}")
        if retry_count is not None and retry_count > before:
            # A middleware has rejected the answer, or stopped the attempt, so that the SDK retries: a failure.
            self.retries += 1
            self._own_retries += 1
            self.failed_count += 1
            stopped = self._last_ended
            waited = stopped.time_since(now) if stopped is not None else None
            return Retry(number, waited, NetworkCause.APP_EXCEPTION.value, RetrySource.BACKOFF)
        # The attempt before has not ended, or did not fail: this is a fallback, not a retry after a backoff.
        return Retry(number, None, FALLBACK)

    def _source_of_backoff(self, failed: Attempt, delay: int, by_sdk: bool) -> RetrySource:
        """Returns what decided the backoff of `delay` nanoseconds after `failed`: `RETRY_AFTER` or `BACKOFF`.

        The SDK obeys every positive `retry-after` of at most `Invocation.max_retry_after`: with one, its backoff is
        `RETRY_AFTER`. A middleware that retries by itself (not `by_sdk`) and a backoff of the app's own
        (`Invocation.own_backoff`) need not obey: theirs is `RETRY_AFTER` only if `delay` is at least as long as such a
        `retry-after`. Any other backoff is `BACKOFF`.
        """
        told = headers_for_sdk(failed)
        # A date is compared with the time at which the SDK begins to wait.
        ended = (failed.wall + failed.duration) / 1e9
        asked = headers.retry_after(told, ended) if told is not None else None
        obeyed = asked is not None and asked <= self.invocation.max_retry_after
        if obeyed and asked is not None and (self.invocation.own_backoff or not by_sdk):
            obeyed = delay >= asked * 1e9
        return RetrySource.RETRY_AFTER if obeyed else RetrySource.BACKOFF
