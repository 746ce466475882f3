"""One call: its attempts, its backoff, and how it ended for the app."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from anthropic_otel._core.attempt import Attempt, End
from anthropic_otel._core.call import Call, Invocation
from anthropic_otel._core.semconv import CallOutcome, RetrySource
from anthropic_otel._core.target import target_of

TARGET = target_of("POST", "https", "api.anthropic.com", None, "/v1/messages")


def answered(call: Call, clock: Any, status: int, time: int = 10, **headers: bytes) -> Attempt:
    """An attempt that the server answers after `time`."""
    attempt = call.begin_attempt(TARGET)
    clock.pass_(time)
    attempt.responded(status, {name.replace("_", "-").encode(): value for name, value in headers.items()})
    attempt.end(End.READ)
    return attempt


def broken(call: Call, clock: Any, error: BaseException, time: int = 10) -> Attempt:
    attempt = call.begin_attempt(TARGET)
    clock.pass_(time)
    attempt.end(End.RAISED, error)
    return attempt


class APIStatusError(Exception):
    """As the SDK raises it."""

    __module__ = "anthropic"
    status_code = 529
    type = "overloaded_error"
    body = None


def test_a_call_with_one_answer_succeeded(call: Call, clock: Any, notes: Any) -> None:
    """Each event is told once, in its order."""
    answered(call, clock, 200)
    call.returned()
    assert call.outcome is CallOutcome.SUCCEEDED
    assert (call.error_type, call.retries, call.duration, call.active) == (None, 0, 10, 10)
    assert [name for name, _ in notes.told] == ["attempt_ended", "call_returned", "call_ended"]


def test_a_call_that_was_retried_recovered(call: Call, clock: Any, notes: Any) -> None:
    """Its duration is that of its attempts and of the backoff between them."""
    failed = answered(call, clock, 529)
    clock.pass_(500)
    retried = answered(call, clock, 200)
    call.returned()
    assert call.outcome is CallOutcome.RECOVERED
    assert (call.error_type, call.retries, call.duration, call.active) == (None, 1, 520, 20)
    assert notes.fatal == {id(failed): False}
    assert retried.retry is not None
    assert (retried.retry.number, retried.retry.delay, retried.retry.reason) == (1, 500, "529")
    assert retried.retry.source is RetrySource.BACKOFF


def test_a_call_that_used_up_its_retries_is_exhausted(call: Call, clock: Any, notes: Any) -> None:
    """The SDK raised for an attempt that it would have retried."""
    attempts = [answered(call, clock, 529) for _ in range(3)]
    call.returned(APIStatusError())
    assert call.outcome is CallOutcome.EXHAUSTED
    assert call.error_type == "overloaded_error"
    assert notes.fatal == {id(a): a is attempts[-1] for a in attempts}


def test_a_call_that_failed_for_good_is_not_exhausted(call: Call, clock: Any) -> None:
    """The last attempt's failure is none that the SDK retries."""
    answered(call, clock, 529)
    answered(call, clock, 400)
    call.returned(APIStatusError())
    assert call.outcome is CallOutcome.FAILED


def test_a_call_that_may_not_retry_is_not_exhausted(clock: Any, notes: Any) -> None:
    """There was nothing to use up."""
    call = Call(Invocation(max_retries=0), notes, clock)
    answered(call, clock, 529)
    call.returned(APIStatusError())
    assert call.outcome is CallOutcome.FAILED


def test_a_call_with_retries_left_is_not_exhausted(call: Call, clock: Any) -> None:
    """The app's own code raised between, as a middleware may."""
    answered(call, clock, 529)
    answered(call, clock, 529)
    call.returned(RuntimeError())
    assert call.outcome is CallOutcome.FAILED


def test_where_the_number_of_retries_is_unknown_one_is_enough(clock: Any, notes: Any) -> None:
    """An SDK that keeps it elsewhere than we know."""
    call = Call(Invocation(max_retries=None), notes, clock)
    answered(call, clock, 529)
    answered(call, clock, 529)
    call.returned(APIStatusError())
    assert call.outcome is CallOutcome.EXHAUSTED


def test_a_call_without_an_attempt_has_an_outcome(call: Call, notes: Any) -> None:
    """It failed before anything was sent."""
    call.returned(ValueError())
    assert call.outcome is CallOutcome.FAILED
    assert call.error_type == "client_error"
    assert call.retries == 0
    assert call.address == "api.anthropic.com"
    assert notes.count("call_ended") == 1


def test_a_call_that_returns_without_an_attempt_succeeded(call: Call) -> None:
    """A cache of the app's has answered it."""
    call.returned()
    assert call.outcome is CallOutcome.SUCCEEDED


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit()])
def test_a_call_that_the_app_stops_is_cancelled(call: Call, clock: Any, error: BaseException) -> None:
    """Also in its backoff, where no attempt is under way."""
    answered(call, clock, 529)
    call.returned(error)
    assert call.outcome is CallOutcome.CANCELLED
    assert call.error_type is None


def test_a_call_lasts_as_long_as_its_body(call: Call, clock: Any, notes: Any) -> None:
    """The SDK method has returned a stream, which the app reads."""
    attempt = call.begin_attempt(TARGET)
    attempt.responded(200, {})
    reading = attempt.read(event_stream=True, is_message=True)
    call.returned()
    assert call.over_for_sdk
    assert call.outcome is None
    clock.pass_(90)
    reading.decoded(b"event: message_stop\ndata: {}\n\n")
    attempt.end(End.READ)
    assert call.outcome is CallOutcome.SUCCEEDED
    assert call.duration == 90
    assert notes.count("call_ended") == 1


@pytest.mark.parametrize(
    ("how", "error", "outcome", "error_type"),
    [
        (End.CLOSED, None, CallOutcome.ABANDONED, None),
        (End.RAISED, asyncio.CancelledError(), CallOutcome.CANCELLED, None),
        (End.RAISED, httpx.ReadTimeout(""), CallOutcome.FAILED, "client_timeout_error"),
        (End.RAISED, httpx.ReadError(""), CallOutcome.FAILED, "connection_error"),
        (End.RAISED, httpx.DecodingError(""), CallOutcome.FAILED, "client_error"),
        (End.RAISED, ValueError(""), CallOutcome.FAILED, "client_error"),
        (End.READ, None, CallOutcome.FAILED, "api_error"),
    ],
)
def test_the_end_of_the_body_is_the_end_of_the_call(
    call: Call, notes: Any, how: End, error: BaseException | None, outcome: CallOutcome, error_type: str | None
) -> None:
    """The method has returned; what the body did is how the call ended."""
    attempt = call.begin_attempt(TARGET)
    attempt.responded(200, {})
    attempt.read(event_stream=True, is_message=True)
    call.returned()
    attempt.end(how, error)
    assert call.outcome is outcome
    assert call.error_type == error_type
    assert list(notes.fatal.values()) == ([True] if outcome is CallOutcome.FAILED else [])


def test_an_error_event_in_the_body_has_the_apis_word(call: Call) -> None:
    """The SDK raises it while the app reads."""
    attempt = call.begin_attempt(TARGET)
    attempt.responded(200, {})
    attempt.read(event_stream=True, is_message=True).decoded(
        b'event: error\ndata: {"error": {"type": "overloaded_error"}}\n\n'
    )
    call.returned()
    attempt.end(End.CLOSED)
    assert (call.outcome, call.error_type) == (CallOutcome.FAILED, "overloaded_error")


# -- the backoff -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "source"),
    [
        ({}, RetrySource.BACKOFF),
        ({"retry_after": b"3"}, RetrySource.RETRY_AFTER),
        ({"retry_after_ms": b"20"}, RetrySource.RETRY_AFTER),
        ({"retry_after": b"60"}, RetrySource.RETRY_AFTER),
        ({"retry_after": b"61"}, RetrySource.BACKOFF),
        ({"retry_after": b"soon"}, RetrySource.BACKOFF),
        ({"retry_after": b"0"}, RetrySource.BACKOFF),
    ],
)
def test_what_set_the_backoff(clock: Any, notes: Any, headers: dict[str, bytes], source: RetrySource) -> None:
    """The server's header, as far as the SDK obeys it, else the SDK's own formula."""
    call = Call(Invocation(longest_retry_after=60.0), notes, clock)
    answered(call, clock, 429, **headers)
    retry = call.begin_attempt(TARGET).retry
    assert retry is not None
    assert retry.source is source


def test_a_failure_of_the_network_backs_off_by_formula(call: Call, clock: Any) -> None:
    """There was no header to obey."""
    broken(call, clock, httpx.ConnectError(""))
    clock.pass_(700)
    retry = call.begin_attempt(TARGET).retry
    assert retry is not None
    assert (retry.delay, retry.reason, retry.source) == (700, "connection_error", RetrySource.BACKOFF)


def test_a_backoff_is_never_negative(clock: Any, notes: Any) -> None:
    """A failure that another thread reports while the next attempt is starting ends after that start: no backoff."""
    call = Call(Invocation(max_retries=2), notes, clock)
    first = call.begin_attempt(TARGET)

    def mark() -> int:
        started: int = clock.time
        if not first.ended:
            clock.mark = lambda: clock.time
            clock.pass_(5)
            first.end(End.RAISED, httpx.ReadTimeout(""))
        return started

    clock.mark = mark
    retry = call.begin_attempt(TARGET).retry
    assert retry is not None
    assert (retry.reason, retry.delay) == ("read_timeout", 0)


def test_an_attempt_beside_another_is_no_retry_after_a_backoff(call: Call, clock: Any) -> None:
    """A fallback, sent while the one before is under way or after it has answered."""
    call.begin_attempt(TARGET)
    second = call.begin_attempt(TARGET)
    assert second.retry is not None
    assert (second.retry.number, second.retry.delay, second.retry.reason) == (1, None, None)
    assert second.resend_count == 1


def test_each_failure_beside_another_is_settled(call: Call, clock: Any, notes: Any) -> None:
    """Two attempts that were under way at once both failed before the next one."""
    first, second = call.begin_attempt(TARGET), call.begin_attempt(TARGET)
    first.end(End.RAISED, httpx.ReadTimeout(""))
    second.end(End.RAISED, httpx.ReadTimeout(""))
    call.begin_attempt(TARGET)
    assert notes.fatal == {id(first): False, id(second): False}


def test_an_attempt_after_the_call_is_settled(call: Call, clock: Any, notes: Any) -> None:
    """A task that the call has left behind sends on; the call does not end a second time."""
    call.returned()
    late = broken(call, clock, httpx.ReadTimeout(""))
    assert notes.fatal == {id(late): True}
    assert notes.count("call_ended") == 1


def test_the_attempts_are_on_the_calls_calendar(call: Call, clock: Any) -> None:
    """The wall clock is read once per call; the rest is its monotonic distance."""
    clock.pass_(33)
    assert call.begin_attempt(TARGET).wall == call.wall + 33


# -- who holds it open, and what it is ---------------------------------------------------------------------------------


def test_a_held_call_is_not_over(call: Call, notes: Any) -> None:
    """Until what holds it has let go, which counts once."""
    release = call.hold()
    call.returned()
    assert call.outcome is None
    release()
    release()
    assert call.outcome is CallOutcome.SUCCEEDED
    assert notes.count("call_ended") == 1


def test_a_release_does_not_stand_for_an_attempt(call: Call) -> None:
    """A second release is none of the attempt that is under way."""
    release = call.hold()
    call.begin_attempt(TARGET)
    call.returned()
    release()
    release()
    assert call.outcome is None


def test_the_url_tells_the_operation_where_the_sdk_does_not(call: Call, clock: Any, notes: Any) -> None:
    """Known as soon as an attempt has ended."""
    unnamed = Call(replace(call.invocation, operation=None, address=None), notes, clock)
    assert (unnamed.operation, unnamed.address) == (None, None)
    answered(unnamed, clock, 200)
    assert (unnamed.operation, unnamed.address) == ("messages.create", "api.anthropic.com")


def test_the_sdks_operation_is_the_attempts(call: Call) -> None:
    """Where the URL of another platform says less."""
    attempt = call.begin_attempt(target_of("POST", "https", "h.test", None, "/unknown"))
    assert attempt.operation == "messages.create"
    assert attempt.is_message


def test_an_exception_that_cannot_be_read_ends_the_call(call: Call, notes: Any) -> None:
    """Whatever the app's own classes are like."""

    class Hostile(APIStatusError):
        @property
        def type(self) -> str:  # type: ignore[override]
            raise RuntimeError("hostile")

    call.returned(Hostile())
    assert (call.outcome, call.error_type) == (CallOutcome.FAILED, "client_error")
    assert notes.count("call_ended") == 1
