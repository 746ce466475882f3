"""Implements the recorder behind `anthropic_otel.testing.capture`: it makes a value of each ended call and attempt.

Rule: it is one more recorder beside the app's own, with times of its own, and changes nothing of what the app exports.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Final

from anthropic_otel._core import attempt as core_attempt
from anthropic_otel._core import call as core_call
from anthropic_otel._core.facts import attempt_facts, call_facts
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.recorder import (
    NO_ATTEMPT_RECORDER,
    NO_CALL_RECORDER,
    AttemptRecorder,
    CallRecorder,
)
from anthropic_otel._core.semconv import AttemptOutcome, NetworkCause
from anthropic_otel._core.usage import Usage as CoreUsage
from anthropic_otel.testing._captured import Attempt, Call, Captured, Usage

Clock = Callable[[], float]
"""A function that is called once at each start and end of a call or an attempt, and returns the time of that.

It is in seconds since the capture began.
"""


def ticking_clock() -> Clock:
    """Returns a clock that goes by calls: it returns 0.0 at the first call, and one second more at each further one."""
    return map(float, itertools.count()).__next__


def machine_clock() -> Clock:
    """Returns a clock of the seconds since this function was called, by the machine's performance counter."""
    began = time.perf_counter()
    return lambda: time.perf_counter() - began


class Collector:
    """The `Recorder` of one capture: adds each call and attempt to `captured` when it ends, with times of `clock`.

    Attempts without a call are added too. The id of an attempt is added when that starts, its tokens when they become
    known. `call_ids` and `attempt_ids` give the next id of a call or an attempt.
    """

    def __init__(self, captured: Captured, clock: Clock) -> None:
        self.captured: Final = captured
        self.clock: Final = clock
        self.call_ids: Final = itertools.count(1)
        self.attempt_ids: Final = itertools.count(1)

    def enabled(self, sdk_tracer_provider: object = None) -> bool:
        return True

    @guarded(NO_CALL_RECORDER)
    def start_call(self, call: core_call.Call) -> CallRecorder:
        return _CallCollector(self, next(self.call_ids))

    @guarded(NO_ATTEMPT_RECORDER)
    def start_attempt(self, attempt: core_attempt.Attempt) -> AttemptRecorder:
        return _AttemptCollector(self, attempt, None)


class _CallCollector(CallRecorder):
    """Records one call for `collector`; `number` becomes its `id`.

    The recorders of its attempts fill the rest. `attempts` are the values of those that have ended. `last_end_at` is
    the time of the last end of an attempt, `last_failure_at` that of the last end of a failed one; `None` before there
    is one.
    """

    def __init__(self, collector: Collector, number: int) -> None:
        self._collector: Final = collector
        self.id: Final = number
        self.attempts: Final[list[Attempt]] = []
        self.last_failure_at: float | None = None
        self.last_end_at: float | None = None
        self._started: Final = collector.clock()

    @guarded(NO_ATTEMPT_RECORDER)
    def start_attempt(self, attempt: core_attempt.Attempt) -> AttemptRecorder:
        return _AttemptCollector(self._collector, attempt, self)

    @guarded(None)
    def end(self, call: core_call.Call) -> None:
        duration = self._collector.clock() - self._started
        attempts = sorted(self.attempts, key=lambda attempt: attempt.id)
        value = Call(
            id=self.id,
            stream=call.invocation.stream,
            started=self._started,
            duration=duration,
            backoff=duration - _active(attempts),
            attempts=tuple(attempts),
            **call_facts(call),
        )
        self._collector.captured.ended_calls.append(value)


class _AttemptCollector(AttemptRecorder):
    """Records one attempt of `call`; `None` is for an attempt without a call. Adds no trace context to its request."""

    def __init__(self, collector: Collector, attempt: core_attempt.Attempt, call: _CallCollector | None) -> None:
        self._collector: Final = collector
        self._call: Final = call
        self._id: Final = next(collector.attempt_ids)
        collector.captured.started_ids.append(self._id)
        self._started: Final = collector.clock()
        waited_since = _waited_since(attempt, call)
        self._retry_delay: Final = self._started - waited_since if waited_since is not None else None

    @guarded(None)
    def end(self, attempt: core_attempt.Attempt) -> None:
        ended = self._collector.clock()
        value = self._value(attempt, ended - self._started)
        self._collector.captured.ended_attempts.append(value)
        if self._call is not None:
            self._call.attempts.append(value)
            self._call.last_end_at = ended
            if attempt.outcome is AttemptOutcome.FAILED:
                self._call.last_failure_at = ended

    @guarded(None)
    def used(self, attempt: core_attempt.Attempt, usage: CoreUsage) -> None:
        self._collector.captured.used.append((self._id, Usage(*usage.counts)))

    def _value(self, attempt: core_attempt.Attempt, duration: float) -> Attempt:
        return Attempt(
            id=self._id,
            call=self._call.id if self._call is not None else None,
            method=attempt.request.target.method,
            url_template=attempt.request.target.template,
            server_address=attempt.request.target.address,
            resend_count=attempt.resend_count,
            started=self._started,
            duration=duration,
            retry_delay=self._retry_delay,
            proxy_address=attempt.request.proxy,
            **attempt_facts(attempt),
        )


def _waited_since(attempt: core_attempt.Attempt, call: _CallCollector | None) -> float | None:
    """Returns the time by the collector's clock when the backoff before an attempt began.

    It is the last end of a failed attempt of the call, or the last end of any attempt if the SDK retries because a
    middleware rejected an answer. `None` if no such attempt has ended, and without a call or a known backoff.
    """
    retry = attempt.retry
    if call is None or retry is None or retry.delay is None:
        return None
    # Before a retry after an answer that a middleware has rejected, no attempt has failed.
    return call.last_end_at if retry.reason == NetworkCause.APP_EXCEPTION.value else call.last_failure_at


def _active(attempts: list[Attempt]) -> float:
    """Returns for how many seconds at least one of the attempts was under way. They may be in any order."""
    active, until = 0.0, float("-inf")
    for attempt in sorted(attempts, key=lambda attempt: attempt.started):
        ended = attempt.started + attempt.duration
        active += max(ended - max(attempt.started, until), 0.0)
        until = max(until, ended)
    return active
