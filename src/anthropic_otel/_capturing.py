"""The observers and the clock behind `anthropic_otel.testing.capture`.

The rule: capturing is one more observer beside the app's own, and changes nothing that the app's own is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anthropic_otel._captured import Attempt, Call, Captured
from anthropic_otel._core import attempt as core_attempt
from anthropic_otel._core import call as core_call
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.observer import NO_HEADERS, Observer

_SECOND: Final = 1_000_000_000
EPOCH: Final = 1_893_456_000 * _SECOND
"""When captured time begins: 2030-01-01T00:00:00Z."""


class TickingClock:
    """Stands still but for the second that each `mark` lets pass. The first one is at 0."""

    def __init__(self) -> None:
        self._now = -_SECOND

    def now(self) -> int:
        return self._now

    def mark(self) -> int:
        self._now += _SECOND
        return self._now

    def wall(self) -> int:
        return EPOCH + self._now


class Capturing:
    """The observer that turns what has ended into values."""

    def __init__(self, captured: Captured, epoch: int) -> None:
        self._captured: Final = captured
        self._epoch: Final = epoch
        self._ids: dict[int, int] = {}
        self._attempts_of: dict[int, list[Attempt]] = {}
        self._calls = 0

    def watches(self) -> bool:
        return True

    def call_started(self, call: core_call.Call) -> None:
        self._calls += 1
        self._ids[id(call)] = self._calls
        self._attempts_of[id(call)] = []

    def call_returned(self, call: core_call.Call) -> None:
        return

    def call_ended(self, call: core_call.Call) -> None:
        number = self._ids.pop(id(call), None)
        attempts = self._attempts_of.pop(id(call), [])
        if number is None:
            return
        value = Call(
            id=number,
            operation=call.operation,
            model=call.invocation.model,
            stream=call.invocation.stream,
            started=self._since(call.wall),
            duration=call.duration / _SECOND,
            backoff=(call.duration - call.active) / _SECOND,
            outcome=call.outcome.value if call.outcome is not None else "",
            error_type=call.error_type,
            attempts=tuple(sorted(attempts, key=lambda attempt: attempt.id)),
        )
        self._captured.ended_calls.append(value)

    def attempt_started(self, attempt: core_attempt.Attempt) -> Mapping[str, str]:
        self._captured.started += 1
        self._ids[id(attempt)] = self._captured.started
        return NO_HEADERS

    def attempt_sent(self, attempt: core_attempt.Attempt) -> None:
        return

    def limits_told(self, attempt: core_attempt.Attempt, headers: RawHeaders) -> None:
        return

    def attempt_settled(self, attempt: core_attempt.Attempt, *, fatal: bool) -> None:
        return

    def attempt_ended(self, attempt: core_attempt.Attempt) -> None:
        number = self._ids.pop(id(attempt), None)
        if number is None:
            return
        value = self._value(attempt, number)
        self._captured.ended_attempts.append(value)
        if attempt.call is not None and id(attempt.call) in self._attempts_of:
            self._attempts_of[id(attempt.call)].append(value)

    def _value(self, attempt: core_attempt.Attempt, number: int) -> Attempt:
        cause, retry = attempt.cause, attempt.retry
        end = attempt.reading.end if attempt.reading is not None else None
        return Attempt(
            id=number,
            call=self._ids.get(id(attempt.call)) if attempt.call is not None else None,
            operation=attempt.operation,
            method=attempt.target.method,
            url_template=attempt.target.template,
            server_address=attempt.target.address,
            resend_count=attempt.resend_count,
            started=self._since(attempt.wall),
            duration=attempt.duration / _SECOND,
            outcome=attempt.outcome.value if attempt.outcome is not None else "",
            status=attempt.status,
            request_id=attempt.request_id,
            error_type=attempt.error_type,
            cause=cause.word.value if cause is not None else None,
            phase=attempt.timeline.phase.value if cause is not None else None,
            errno=cause.errno if cause is not None else None,
            exception_type=attempt.exception_type,
            retry_delay=retry.delay / _SECOND if retry is not None and retry.delay is not None else None,
            retry_reason=retry.reason if retry is not None else None,
            retry_source=retry.source.value if retry is not None and retry.source is not None else None,
            connection_reused=attempt.timeline.reused,
            stream_complete=end.complete if end is not None and attempt.is_message else None,
        )

    def _since(self, wall: int) -> float:
        return (wall - self._epoch) / _SECOND


class Beside:
    """Tells a capture and the app's own observer. The app's decides what is sent along."""

    def __init__(self, capturing: Observer, own: Observer) -> None:
        self._capturing: Final = capturing
        self._own: Final = own

    def watches(self) -> bool:
        return self._own.watches()

    def call_started(self, call: core_call.Call) -> None:
        self._capturing.call_started(call)
        self._own.call_started(call)

    def call_returned(self, call: core_call.Call) -> None:
        self._own.call_returned(call)

    def call_ended(self, call: core_call.Call) -> None:
        self._capturing.call_ended(call)
        self._own.call_ended(call)

    def attempt_started(self, attempt: core_attempt.Attempt) -> Mapping[str, str]:
        self._capturing.attempt_started(attempt)
        return self._own.attempt_started(attempt)

    def attempt_sent(self, attempt: core_attempt.Attempt) -> None:
        self._own.attempt_sent(attempt)

    def limits_told(self, attempt: core_attempt.Attempt, headers: RawHeaders) -> None:
        self._own.limits_told(attempt, headers)

    def attempt_settled(self, attempt: core_attempt.Attempt, *, fatal: bool) -> None:
        self._own.attempt_settled(attempt, fatal=fatal)

    def attempt_ended(self, attempt: core_attempt.Attempt) -> None:
        self._capturing.attempt_ended(attempt)
        self._own.attempt_ended(attempt)
