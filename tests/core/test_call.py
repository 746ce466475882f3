"""One call: its attempts, its backoff, and how it ended for the app."""

from __future__ import annotations

import asyncio
import email.utils
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.ending import End
from anthropic_otel._core.event_json import ApiError
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.recorder import AfterFailure
from anthropic_otel._core.request import RequestFacts
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._core.semconv import AttemptOutcome, CallOutcome, NetworkCause, RetrySource, RetryStop
from anthropic_otel._core.target import target_of
from core.notes import FACTS, OVERLOADED, SSE, STOP, AttemptNotes, CallNotes, ManualClock, Notes
from support.waiting import collect_garbage

ANSWER = b'{"content": []}'


def answered(call: Call, clock: ManualClock, status: int, **headers: bytes) -> Attempt:
    """An attempt that the server answers after ten nanoseconds."""
    attempt = call.begin_attempt(FACTS)
    clock.pass_(10)
    attempt.responded(status, {name.replace("_", "-").encode(): value for name, value in headers.items()})
    attempt.end(End.READ)
    return attempt


def broken(call: Call, clock: ManualClock, error: BaseException, time: int = 10) -> Attempt:
    """An attempt that raises after `time`."""
    attempt = call.begin_attempt(FACTS)
    clock.pass_(time)
    attempt.fail(error)
    return attempt


def opened(call: Call, *chunks: bytes) -> Attempt:
    """An attempt with a message stream that is open, of which `chunks` have come."""
    attempt = call.begin_attempt(FACTS)
    attempt.responded(200, SSE)
    reading = attempt.begin_body()
    for chunk in chunks:
        reading.on_chunk(chunk)
    return attempt


def ended(call: Call) -> bool:
    return call.ending.outcome is not None


class APIStatusError(Exception):
    """As the SDK raises it."""

    __module__ = "anthropic"
    status_code = 529
    type = "overloaded_error"
    body = None


# -- how it ends -------------------------------------------------------------------------------------------------------


def test_a_call_with_one_answer_succeeded(call: Call, clock: ManualClock, notes: Notes) -> None:
    """A call that is answered at once succeeded, and its recorder is told of each event once, in order."""
    answered(call, clock, 200)
    call.method_returned("reply", None)
    assert call.ending.outcome is CallOutcome.SUCCEEDED
    assert (call.ending.error_type, call.attempts.retries, call.attempts.count, call.duration) == (None, 0, 1, 10)
    assert notes.events == ["call_started", "attempt_started", "attempt_ended", "method_finished", "call_ended"]
    assert notes.results == [("reply", None)]


def test_a_call_that_was_retried_recovered(call: Call, clock: ManualClock, notes: Notes) -> None:
    """A call that is answered after a retry lasts as long as its attempts and the backoff between them."""
    failed = answered(call, clock, 529)
    clock.pass_(500)
    retried = answered(call, clock, 200)
    call.method_returned(None, None)
    assert call.ending.outcome is CallOutcome.RECOVERED
    assert (call.ending.error_type, call.attempts.retries, call.attempts.count, call.duration) == (None, 1, 2, 520)
    assert notes.after == {failed: AfterFailure.RETRIED}
    assert retried.retry is not None
    assert (retried.retry.number, retried.retry.delay, retried.retry.reason) == (1, 500, "529")
    assert retried.retry.source is RetrySource.BACKOFF


def test_a_call_that_used_up_its_retries_is_exhausted(call: Call, clock: ManualClock, notes: Notes) -> None:
    """A call is exhausted if the SDK raised for an attempt that it would have retried."""
    *retried, last = [answered(call, clock, 529) for _ in range(3)]
    error = APIStatusError()
    call.method_raised(error)
    assert call.ending.outcome is CallOutcome.EXHAUSTED
    assert call.ending.error_type == "overloaded_error"
    assert notes.after == {**dict.fromkeys(retried, AfterFailure.RETRIED), last: AfterFailure.CALL_FAILED}
    assert notes.results == [(None, error)]


def test_a_call_that_failed_for_good_is_not_exhausted(call: Call, clock: ManualClock) -> None:
    """A call whose last attempt failed in a way that the SDK does not retry has failed."""
    answered(call, clock, 529)
    answered(call, clock, 400)
    call.method_raised(APIStatusError())
    assert call.ending.outcome is CallOutcome.FAILED


def test_a_call_that_may_not_retry_is_not_exhausted(runtime: Runtime, clock: ManualClock) -> None:
    """A call without retries has none to use up."""
    call = runtime.begin_call(Invocation(max_retries=0))
    answered(call, clock, 529)
    call.method_raised(APIStatusError())
    assert call.ending.outcome is CallOutcome.FAILED


def test_a_call_with_retries_left_is_not_exhausted(call: Call, clock: ManualClock) -> None:
    """A call that raises with a retry left has failed, as where code of the app raised in between."""
    answered(call, clock, 529)
    answered(call, clock, 529)
    call.method_raised(RuntimeError())
    assert call.ending.outcome is CallOutcome.FAILED


def test_where_the_number_of_retries_is_unknown_one_is_enough(runtime: Runtime, clock: ManualClock) -> None:
    """Where the SDK keeps the number of retries elsewhere than we know, one retry counts as used up."""
    call = runtime.begin_call(Invocation(max_retries=None))
    answered(call, clock, 529)
    answered(call, clock, 529)
    call.method_raised(APIStatusError())
    assert call.ending.outcome is CallOutcome.EXHAUSTED


def test_a_call_without_an_attempt_has_an_outcome(call: Call, notes: Notes) -> None:
    """A call that raises before anything was sent has failed."""
    call.method_raised(ValueError())
    assert call.ending.outcome is CallOutcome.FAILED
    assert call.ending.error_type == "client_error"
    assert call.attempts.retries == call.attempts.count == 0
    assert call.address == "api.anthropic.com"
    assert notes.count("call_ended") == 1


def test_a_call_that_returns_without_an_attempt_succeeded(call: Call) -> None:
    """A call that a cache of the app answers has succeeded."""
    call.method_returned("cached", None)
    assert call.ending.outcome is CallOutcome.SUCCEEDED


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit()])
def test_a_call_that_is_cancelled_in_its_backoff_has_not_failed(
    call: Call, clock: ManualClock, notes: Notes, error: BaseException
) -> None:
    """The attempt before the backoff failed, but it is not what ended the call."""
    failed = answered(call, clock, 529)
    clock.pass_(70)
    call.method_raised(error)
    assert call.ending.outcome is CallOutcome.CANCELLED
    assert (call.ending.error_type, call.duration) == (None, 80)
    assert notes.after == {failed: AfterFailure.CALL_WENT_ON}


def test_a_call_that_is_cancelled_in_an_attempt_has_not_failed(call: Call, clock: ManualClock, notes: Notes) -> None:
    """A cancellation of the second attempt is the call's, and the failure before it was retried."""
    failed = answered(call, clock, 529)
    error = asyncio.CancelledError()
    broken(call, clock, error)
    call.method_raised(error)
    assert call.ending.outcome is CallOutcome.CANCELLED
    assert notes.after == {failed: AfterFailure.RETRIED}


def test_an_exception_that_cannot_be_read_ends_the_call(call: Call, notes: Notes) -> None:
    """An exception whose attributes raise ends the call as any other does."""

    class Hostile(APIStatusError):
        @property
        def type(self) -> str:  # type: ignore[override]
            raise RuntimeError("hostile")

    call.method_raised(Hostile())
    assert (call.ending.outcome, call.ending.error_type) == (CallOutcome.FAILED, "client_error")
    assert notes.count("call_ended") == 1


# -- what the method gave the app --------------------------------------------------------------------------------------


def test_a_call_lasts_as_long_as_its_body(streaming: Call, clock: ManualClock, notes: Notes) -> None:
    """A call whose method has returned a stream ends when the app has read it."""
    attempt = streaming.begin_attempt(FACTS)
    attempt.responded(200, SSE)
    reading = attempt.begin_body()
    streaming.method_returned("stream", attempt)
    assert not ended(streaming)
    assert notes.count("method_finished") == 1
    clock.pass_(90)
    reading.on_decoded(STOP)
    attempt.end(End.READ)
    assert streaming.ending.outcome is CallOutcome.SUCCEEDED
    assert streaming.duration == 90
    assert streaming._open == []
    assert notes.count("call_ended") == 1


@pytest.mark.parametrize(
    ("how", "outcome", "error_type"),
    [
        (End.CLOSED, CallOutcome.ABANDONED, None),
        (asyncio.CancelledError(), CallOutcome.CANCELLED, None),
        (httpx.ReadTimeout(""), CallOutcome.FAILED, "client_timeout_error"),
        (httpx.ReadError(""), CallOutcome.FAILED, "connection_error"),
        (httpx.DecodingError(""), CallOutcome.FAILED, "client_error"),
        (ValueError(""), CallOutcome.FAILED, "client_error"),
        (End.READ, CallOutcome.FAILED, "api_error"),
    ],
)
def test_the_end_of_the_body_is_the_end_of_the_call(
    streaming: Call, notes: Notes, how: End | BaseException, outcome: CallOutcome, error_type: str | None
) -> None:
    """How the body ended that the method returned is how the call ended."""
    attempt = opened(streaming)
    streaming.method_returned("stream", attempt)
    if isinstance(how, End):
        attempt.end(how)
    else:
        attempt.fail(how)
    assert streaming.ending.outcome is outcome
    assert streaming.ending.error_type == error_type
    assert notes.after == ({attempt: AfterFailure.CALL_FAILED} if outcome is CallOutcome.FAILED else {})


def test_a_body_that_ended_before_the_method_returned_it_decides_the_call(streaming: Call) -> None:
    """A stream that a middleware has read until it broke, and returns all the same, has failed the call."""
    attempt = opened(streaming)
    attempt.fail(httpx.ReadTimeout(""))
    streaming.method_returned("stream", attempt)
    assert (streaming.ending.outcome, streaming.ending.error_type) == (CallOutcome.FAILED, "client_timeout_error")


def test_an_error_event_in_the_body_has_the_apis_word(streaming: Call) -> None:
    """An `error` event that the SDK raises while the app reads has the API's type as the call's error type."""
    attempt = opened(streaming, OVERLOADED)
    streaming.method_returned("stream", attempt)
    attempt.end(End.CLOSED)
    assert (streaming.ending.outcome, streaming.ending.error_type) == (CallOutcome.FAILED, "overloaded_error")


def test_a_stream_that_recovered_after_a_retry(streaming: Call, clock: ManualClock) -> None:
    """A stream that is read to its end after a failed attempt is a call that recovered."""
    answered(streaming, clock, 529)
    attempt = opened(streaming, STOP)
    streaming.method_returned("stream", attempt)
    attempt.end(End.READ)
    assert (streaming.ending.outcome, streaming.attempts.retries) == (CallOutcome.RECOVERED, 1)


def test_a_stream_that_the_app_leaves_after_a_retry_is_abandoned(streaming: Call, clock: ManualClock) -> None:
    """A failed attempt before it does not make of an abandoned stream a recovery."""
    answered(streaming, clock, 529)
    attempt = opened(streaming)
    streaming.method_returned("stream", attempt)
    attempt.end(End.CLOSED)
    assert streaming.ending.outcome is CallOutcome.ABANDONED


@pytest.mark.parametrize(
    "late",
    [
        "end of the answer first",
        "end of the refusal first",
    ],
)
def test_a_fallback_after_a_failure_recovered(call: Call, clock: ManualClock, late: str) -> None:
    """A middleware that answers with another model after a 529 has recovered the call, whichever attempt ends last."""
    refused = call.begin_attempt(replace(FACTS, model="claude-opus-4-5"))
    refused.responded(529, {})
    if late == "end of the refusal first":
        refused.end(End.READ)
    fallback = call.begin_attempt(replace(FACTS, model="claude-haiku-4-5"))
    fallback.responded(200, {})
    fallback.end(End.READ)
    refused.end(End.CLOSED)
    call.method_returned("reply", None)
    assert (call.ending.outcome, call.ending.error_type, call.attempts.retries) == (CallOutcome.RECOVERED, None, 1)
    assert fallback.retry is not None
    assert fallback.retry.reason == "529"
    assert (refused.model, fallback.model) == ("claude-opus-4-5", "claude-haiku-4-5")


@pytest.mark.parametrize("error", [httpx.ReadTimeout(""), httpx.ConnectError("")])
def test_a_cached_answer_after_a_failure_recovered(
    call: Call, clock: ManualClock, notes: Notes, error: Exception
) -> None:
    """A middleware that answers from its cache when the API fails has not failed, though no attempt followed."""
    failed = broken(call, clock, error)
    call.method_returned("cached", None)
    assert (call.ending.outcome, call.ending.error_type) == (CallOutcome.RECOVERED, None)
    assert notes.after == {failed: AfterFailure.CALL_WENT_ON}


def test_the_loser_of_a_hedge_that_is_cancelled_says_nothing_of_the_call(call: Call, clock: ManualClock) -> None:
    """Of two attempts at once the app got the winner's answer; that the other was stopped is no end of the call."""
    loser = call.begin_attempt(FACTS)
    answered(call, clock, 200)
    loser.fail(asyncio.CancelledError())
    call.method_returned("reply", None)
    assert (call.ending.outcome, call.ending.error_type) == (CallOutcome.SUCCEEDED, None)


def test_the_loser_of_a_hedge_that_is_closed_late_does_not_abandon_the_call(streaming: Call) -> None:
    """A stream that the app reads to its end succeeded, though another one of its call was closed unread afterwards."""
    winner, loser = opened(streaming, STOP), opened(streaming)
    streaming.method_returned("stream", winner)
    winner.end(End.READ)
    assert not ended(streaming)
    loser.end(End.CLOSED)
    assert streaming.ending.outcome is CallOutcome.SUCCEEDED


def test_of_several_open_bodies_the_returned_one_decides(streaming: Call) -> None:
    """Of three open bodies the call waits for all, and takes its outcome from the one that the app got."""
    first, second, third = opened(streaming), opened(streaming), opened(streaming)
    streaming.method_returned("stream", second)
    first.fail(httpx.ReadError(""))
    second.end(End.CLOSED)
    assert not ended(streaming)
    third.fail(KeyboardInterrupt())
    assert (streaming.ending.outcome, streaming.ending.error_type) == (CallOutcome.ABANDONED, None)


def page(call: Call) -> Attempt:
    """An attempt that a captive portal has answered with its login page."""
    attempt = call.begin_attempt(FACTS)
    attempt.responded(200, {b"content-type": b"text/html"}, body=b"<html>")
    attempt.end(End.READ)
    return attempt


def test_a_reply_that_is_made_of_no_answer_has_failed(call: Call, notes: Notes) -> None:
    """A method that returns what it made of a login page has failed, though the app saw no error."""
    attempt = page(call)
    call.method_returned("reply", None)
    assert (call.ending.outcome, call.ending.error_type) == (CallOutcome.FAILED, "unexpected_content")
    assert call.ending.retry_stop is RetryStop.NOT_RETRYABLE
    assert notes.after == {attempt: AfterFailure.CALL_FAILED}


def test_a_page_before_the_answer_does_not_fail_the_call(call: Call, clock: ManualClock) -> None:
    """A middleware that sends again after a login page has recovered the call."""
    page(call)
    answered(call, clock, 200)
    call.method_returned("reply", None)
    assert (call.ending.outcome, call.ending.error_type) == (CallOutcome.RECOVERED, None)


def test_a_page_beside_the_answer_does_not_fail_the_call(call: Call) -> None:
    """Of two attempts at once the app got the answer of the first, though the other was answered with a page later."""
    winner, loser = call.begin_attempt(FACTS), call.begin_attempt(FACTS)
    winner.responded(200, {})
    winner.end(End.READ)
    loser.responded(200, {b"content-type": b"text/html"}, body=b"<html>")
    loser.end(End.READ)
    call.method_returned("reply", None)
    assert (call.ending.outcome, call.ending.error_type) == (CallOutcome.SUCCEEDED, None)


def test_a_failure_after_the_answer_was_sent_for_is_nothing_to_recover_from(call: Call, clock: ManualClock) -> None:
    """A hedge that broke while the winner was under way already has cost the call nothing."""
    winner = call.begin_attempt(FACTS)
    broken(call, clock, httpx.ReadTimeout(""))
    winner.responded(200, {})
    winner.end(End.READ)
    call.method_returned("reply", None)
    assert (call.ending.outcome, call.ending.error_type, winner.after_failure) == (CallOutcome.SUCCEEDED, None, False)


def test_a_stream_that_was_sent_for_before_the_failure_succeeded(streaming: Call, clock: ManualClock) -> None:
    """The first model's stream is what the app got, as the second model was overloaded: nothing has been recovered."""
    returned = opened(streaming, STOP)
    answered(streaming, clock, 529)
    streaming.method_returned("stream", returned)
    returned.end(End.READ)
    assert (streaming.ending.outcome, streaming.ending.error_type) == (CallOutcome.SUCCEEDED, None)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("of another attempt", CallOutcome.SUCCEEDED), ("of a cache", CallOutcome.RECOVERED)],
)
def test_a_broken_stream_that_the_reply_is_not_from_has_not_failed_the_call(
    streaming: Call, clock: ManualClock, answer: str, outcome: CallOutcome
) -> None:
    """A reply of a hedge's winner or of a cache is an answer, though a stream beside it broke and was closed last."""
    beside = opened(streaming, OVERLOADED)
    if answer == "of another attempt":
        answered(streaming, clock, 200)
    beside.end(End.CLOSED)
    streaming.method_returned("reply", None)
    assert (streaming.ending.outcome, streaming.ending.error_type) == (outcome, None)


def test_a_call_without_a_body_of_its_own_waits_for_an_open_one(streaming: Call) -> None:
    """A body that the method left open and did not return holds the call open, and says nothing of its outcome."""
    left = opened(streaming)
    streaming.method_returned("reply", None)
    assert not ended(streaming)
    left.end(End.CLOSED)
    assert streaming.ending.outcome is CallOutcome.SUCCEEDED


# -- a body that no attempt has ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "outcome", "error_type"),
    [
        (AttemptOutcome.COMPLETED, CallOutcome.SUCCEEDED, None),
        (AttemptOutcome.ABANDONED, CallOutcome.ABANDONED, None),
        (httpx.ReadTimeout(""), CallOutcome.FAILED, "client_timeout_error"),
        (APIStatusError(), CallOutcome.FAILED, "overloaded_error"),
        (asyncio.CancelledError(), CallOutcome.CANCELLED, None),
    ],
)
def test_a_held_body_decides_the_call(
    call: Call, notes: Notes, how: AttemptOutcome | BaseException, outcome: CallOutcome, error_type: str | None
) -> None:
    """A stream that a middleware makes is the body that the app got, and how it ends is how the call ends."""
    body = call.hold_body()
    call.method_returned("stream", body)
    assert not ended(call)
    if isinstance(how, AttemptOutcome):
        body.end(how)
    else:
        body.fail(how)
    assert (call.ending.outcome, call.ending.error_type) == (outcome, error_type)
    assert notes.count("call_ended") == 1


def test_a_held_body_ends_once(call: Call, notes: Notes) -> None:
    """The first end of a held body counts, and later ones are ignored."""
    body = call.hold_body()
    call.method_returned("stream", body)
    body.end(AttemptOutcome.COMPLETED)
    body.end(AttemptOutcome.ABANDONED)
    body.fail(ValueError())
    assert body.outcome is AttemptOutcome.COMPLETED
    assert (call.ending.outcome, call.ending.error_type) == (CallOutcome.SUCCEEDED, None)
    assert notes.count("call_ended") == 1


def test_a_second_end_of_a_held_body_is_none_of_an_attempt(call: Call) -> None:
    """A held body that ends twice does not count for an attempt that is under way."""
    body = call.hold_body()
    call.begin_attempt(FACTS)
    call.method_returned("stream", body)
    body.end(AttemptOutcome.COMPLETED)
    body.end(AttemptOutcome.COMPLETED)
    assert not ended(call)


def test_a_held_body_whose_attempts_failed_recovered(call: Call, clock: ManualClock, notes: Notes) -> None:
    """A middleware that goes on with another attempt in the middle of its stream has recovered the call."""
    body = call.hold_body()
    call.method_returned("stream", body)
    first = broken(call, clock, httpx.ReadError(""))
    answered(call, clock, 200)
    body.end(AttemptOutcome.COMPLETED)
    assert call.ending.outcome is CallOutcome.RECOVERED
    assert notes.after == {first: AfterFailure.RETRIED}


def test_a_held_body_ends_once_in_two_threads(runtime: Runtime, notes: Notes) -> None:
    """Of a close and a failure of a held body in two threads at once one counts, and the call ends once."""
    for _ in range(50):
        call = runtime.begin_call(Invocation())
        body = call.hold_body()
        call.method_returned("stream", body)
        barrier = threading.Barrier(2)

        def fail(body: object = body, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            body.fail(httpx.ReadTimeout(""))  # type: ignore[attr-defined]

        thread = threading.Thread(target=fail)
        thread.start()
        barrier.wait()
        body.end(AttemptOutcome.ABANDONED)
        thread.join()
        assert (call.ending.outcome, call.ending.error_type) in {
            (CallOutcome.ABANDONED, None),
            (CallOutcome.FAILED, "client_timeout_error"),
        }
        assert notes.count("call_ended", call) == 1


def test_a_held_body_that_was_not_returned_says_nothing_of_the_call(call: Call) -> None:
    """A call that the app got an answer of has no error type, whatever became of a body that it did not get."""
    returned, other = call.hold_body(), call.hold_body()
    call.method_returned("stream", returned)
    other.fail(httpx.ReadTimeout(""))
    returned.end(AttemptOutcome.COMPLETED)
    assert (call.ending.outcome, call.ending.error_type) == (CallOutcome.SUCCEEDED, None)


# -- what it failed with -----------------------------------------------------------------------------------------------


def test_a_call_fails_with_what_its_last_attempt_failed_with(call: Call, clock: ManualClock) -> None:
    """Cause and stop reason of a call are those of the failure that it ended with, not of an earlier one."""
    answered(call, clock, 529)
    broken(call, clock, httpx.ConnectTimeout(""))
    last = broken(call, clock, httpx.ReadTimeout(""))
    call.method_raised(ValueError())
    assert last.retries_left == 0
    assert (call.ending.outcome, call.ending.cause) == (CallOutcome.EXHAUSTED, NetworkCause.READ_TIMEOUT)
    assert (call.ending.retry_stop, call.ending.api_error) == (RetryStop.EXHAUSTED, None)


def test_a_call_fails_with_the_apis_own_error(call: Call) -> None:
    """The API's error of the attempt that a call failed with is the call's."""
    attempt = call.begin_attempt(FACTS)
    attempt.responded(400, {}, body=b'{"error": {"type": "invalid_request_error", "details": {"error_code": "x"}}}')
    attempt.end(End.READ)
    call.method_raised(APIStatusError())
    assert call.ending.api_error == ApiError("invalid_request_error", "x", "invalid_request_error")
    assert (call.ending.cause, call.ending.retry_stop) == (None, RetryStop.NOT_RETRYABLE)


def test_a_call_fails_with_the_body_that_it_returned(streaming: Call) -> None:
    """Of two bodies that broke, the one that the app got is what the call failed with."""
    returned, other = opened(streaming), opened(streaming)
    streaming.method_returned("stream", returned)
    returned.fail(httpx.ReadTimeout(""))
    other.fail(httpx.DecodingError(""))
    assert (streaming.ending.cause, streaming.ending.retry_stop) == (
        NetworkCause.READ_TIMEOUT,
        RetryStop.STREAM_STARTED,
    )


@pytest.mark.parametrize("error", [None, asyncio.CancelledError()])
def test_a_call_that_did_not_fail_has_nothing_that_it_failed_with(
    call: Call, clock: ManualClock, error: BaseException | None
) -> None:
    """A call that recovered or was cancelled in its backoff has no cause, whatever an attempt of it failed with."""
    broken(call, clock, httpx.ReadTimeout(""))
    if error is None:
        answered(call, clock, 200)
        call.method_returned(None, None)
    else:
        call.method_raised(error)
    assert (call.ending.cause, call.ending.api_error, call.ending.retry_stop) == (None, None, None)


def test_each_attempt_says_how_many_retries_are_left(call: Call, clock: ManualClock) -> None:
    """Only what the SDK sends uses up its retries; a transport that sends again does not."""
    left = [answered(call, clock, 529).retries_left]
    by_transport = call.begin_attempt(FACTS, by_transport=True)
    by_transport.end(End.LOST)
    left += [
        by_transport.retries_left,
        answered(call, clock, 529).retries_left,
        answered(call, clock, 529).retries_left,
    ]
    assert left == [2, 2, 1, 0]


def test_where_the_number_of_retries_is_unknown_nothing_is_said_of_them(runtime: Runtime, clock: ManualClock) -> None:
    """Without the number of retries nobody can say why the SDK stopped."""
    attempt = answered(runtime.begin_call(Invocation(max_retries=None)), clock, 529)
    assert (attempt.retries_left, attempt.retry_stop) == (None, None)


def test_a_failure_is_decided_with_the_time_that_passed_since(call: Call, clock: ManualClock, notes: Notes) -> None:
    """The recorder is told how long the backoff was, and of the last failure that none followed."""
    failed = answered(call, clock, 529)
    clock.pass_(500)
    last = answered(call, clock, 529)
    call.method_raised(ValueError())
    assert notes.waited == {failed: 500, last: None}


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
def test_what_decided_the_backoff(
    runtime: Runtime, clock: ManualClock, headers: dict[str, bytes], source: RetrySource
) -> None:
    """The server's header decided the backoff as far as the SDK obeys it, else the SDK's own formula did."""
    call = runtime.begin_call(Invocation(max_retry_after=60.0))
    answered(call, clock, 429, **headers)
    retry = call.begin_attempt(FACTS).retry
    assert retry is not None
    assert retry.source is source


@pytest.mark.parametrize(("date", "source"), [(7, RetrySource.BACKOFF), (13, RetrySource.RETRY_AFTER)])
def test_a_date_to_retry_after_is_compared_with_the_end_of_the_attempt(
    runtime: Runtime, clock: ManualClock, date: int, source: RetrySource
) -> None:
    """A date that has passed when a slow attempt ends decides nothing, as the SDK looks at it then."""
    began = clock.wall() / 1e9
    call = runtime.begin_call(Invocation())
    attempt = call.begin_attempt(FACTS)
    clock.pass_seconds(10)
    attempt.responded(429, {b"retry-after": email.utils.formatdate(began + date, usegmt=True).encode()})
    attempt.end(End.READ)
    clock.pass_seconds(1)
    retry = call.begin_attempt(FACTS).retry
    assert retry is not None
    assert retry.source is source


def test_a_failure_of_the_network_backs_off_by_formula(call: Call, clock: ManualClock) -> None:
    """After a failure of the network there is no header to obey."""
    broken(call, clock, httpx.ConnectError(""))
    clock.pass_(700)
    retry = call.begin_attempt(FACTS).retry
    assert retry is not None
    assert (retry.delay, retry.reason, retry.source) == (700, "connection_error", RetrySource.BACKOFF)


def test_a_backoff_is_never_negative(call: Call, clock: ManualClock, notes: Notes) -> None:
    """A clock that seems to run backwards between two threads makes a backoff of nothing, for the log too."""
    failed = broken(call, clock, httpx.ConnectError(""))
    clock.pass_(-3)
    retry = call.begin_attempt(FACTS).retry
    assert retry is not None
    assert (retry.delay, notes.waited[failed]) == (0, 0)


def test_an_attempt_beside_another_has_no_backoff(call: Call) -> None:
    """An attempt that is sent while the one before is under way is a hedge, and no retry."""
    call.begin_attempt(FACTS)
    second = call.begin_attempt(FACTS)
    assert second.retry is not None
    assert (second.retry.number, second.retry.delay) == (1, None)
    assert (second.retry.reason, second.retry.source) == ("fallback", None)
    assert (second.resend_count, call.attempts.count, call.attempts.retries) == (1, 2, 0)


def test_an_attempt_after_an_answer_has_no_backoff(call: Call, clock: ManualClock) -> None:
    """An attempt that follows one that did not fail is a fallback to another model, and no retry."""
    answered(call, clock, 200)
    clock.pass_(70)
    retry = call.begin_attempt(FACTS).retry
    assert retry is not None
    assert (retry.number, retry.delay, retry.reason, retry.source) == (1, None, "fallback", None)
    assert (call.attempts.count, call.attempts.retries) == (2, 0)


def test_what_a_transport_sends_again_is_no_retry_of_an_attempt_beside_it(call: Call, notes: Notes) -> None:
    """A transport that repeats an answered request does not retry another attempt whose refusal is being read."""
    beside = call.begin_attempt(FACTS)
    beside.responded(529, {})
    again = call.begin_attempt(FACTS, by_transport=True)
    assert again.retry is not None
    assert (again.retry.reason, call.attempts.retries) == ("fallback", 0)
    beside.end(End.READ)
    assert beside not in notes.after


def test_each_failure_beside_another_is_decided(call: Call, notes: Notes) -> None:
    """Two attempts that were under way at once and both failed before the next one were both retried."""
    first, second = call.begin_attempt(FACTS), call.begin_attempt(FACTS)
    first.fail(httpx.ReadTimeout(""))
    second.fail(httpx.ReadTimeout(""))
    call.begin_attempt(FACTS)
    assert notes.after == {first: AfterFailure.RETRIED, second: AfterFailure.RETRIED}


# -- after its end -----------------------------------------------------------------------------------------------------


def test_a_failure_that_another_thread_decides_does_not_keep_an_attempt_from_beginning(call: Call) -> None:
    """Of two hedges that begin at once, one finds that nothing is left to be decided."""

    class Shared(list[Attempt]):
        def __len__(self) -> int:
            found = super().__len__()
            self.clear()
            return found

    call.begin_attempt(FACTS).fail(httpx.ConnectError("x"))
    call.attempts.undecided = Shared(call.attempts.undecided)
    assert call.begin_attempt(FACTS).resend_count == 1


def test_an_attempt_after_the_call_is_decided(call: Call, clock: ManualClock, notes: Notes) -> None:
    """An attempt that a background task sends after its call has ended will not be retried, and ends no call again."""
    call.method_returned(None, None)
    late = broken(call, clock, httpx.ReadTimeout(""))
    assert notes.after == {late: AfterFailure.CALL_FAILED}
    assert notes.count("call_ended") == 1
    assert (call.ending.outcome, call.ending.error_type) == (CallOutcome.SUCCEEDED, None)


def test_a_late_attempt_does_not_change_what_the_call_was(runtime: Runtime, clock: ManualClock) -> None:
    """Operation and address of a call that has ended stay as they were when its recorder was told."""
    call = runtime.begin_call(Invocation())
    call.method_returned(None, None)
    answered(call, clock, 200)
    assert (call.operation, call.address, call.duration) == (None, None, 0)


def attempt_of(call: Call, clock: ManualClock) -> weakref.ref[object]:
    """A failed attempt that only the call may refer to, by its headers: an attempt takes no weak references."""

    class Headers(dict[bytes, bytes]):
        pass

    headers = Headers()
    attempt = call.begin_attempt(FACTS)
    attempt.responded(529, headers)
    attempt.end(End.READ)
    return weakref.ref(headers)


def test_a_call_that_has_ended_keeps_no_attempt(runtime: Runtime, clock: ManualClock) -> None:
    """A task that keeps a call for long keeps nothing of its attempts by it."""
    call = Call(Invocation(), clock)
    kept = attempt_of(call, clock)
    call.method_raised(APIStatusError())
    collect_garbage()
    assert kept() is None


def test_a_call_that_has_ended_keeps_no_late_attempt(runtime: Runtime, clock: ManualClock) -> None:
    """An attempt that fails after its call has ended is not kept by the call either."""
    call = Call(Invocation(), clock)
    call.method_returned(None, None)
    kept = attempt_of(call, clock)
    collect_garbage()
    assert kept() is None


# -- what it is --------------------------------------------------------------------------------------------------------


def test_the_attempts_are_on_the_calls_calendar(call: Call, clock: ManualClock) -> None:
    """The wall clock is read once per call; an attempt's place is its monotonic distance from the call's start."""
    clock.pass_(33)
    assert call.begin_attempt(FACTS).wall == call.wall + 33


def test_the_url_tells_the_operation_where_the_sdk_does_not(runtime: Runtime, call: Call, clock: ManualClock) -> None:
    """Operation and address of a call that the SDK does not tell are known as soon as an attempt has ended."""
    unnamed = runtime.begin_call(replace(call.invocation, operation=None, address=None))
    assert (unnamed.operation, unnamed.address) == (None, None)
    answered(unnamed, clock, 200)
    assert (unnamed.operation, unnamed.address) == ("messages.create", "api.anthropic.com")


def test_the_sdks_operation_is_the_attempts(call: Call) -> None:
    """The SDK's operation is that of each attempt, where the URL of another platform says less."""
    attempt = call.begin_attempt(RequestFacts(target_of("POST", "https", "h.test", None, "/unknown")))
    assert attempt.operation == "messages.create"
    assert attempt.is_message


def test_an_attempt_has_the_calls_model_unless_its_request_tells_another(call: Call) -> None:
    """The model of an attempt is that of its own request, and the call's where the request's is unknown."""
    assert call.begin_attempt(FACTS).model == "claude-opus-4-5"
    assert call.begin_attempt(replace(FACTS, model="claude-haiku-4-5")).model == "claude-haiku-4-5"


# -- in several threads ------------------------------------------------------------------------------------------------


def test_a_method_that_returns_while_its_body_ends_is_one_end(runtime: Runtime, notes: Notes) -> None:
    """Of the method's return and the end of its body in two threads at once, the later one ends the call, once."""
    for _ in range(50):
        call = runtime.begin_call(Invocation(stream=True))
        attempt = opened(call, STOP)
        barrier = threading.Barrier(2)

        def end(attempt: Attempt = attempt, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            attempt.end(End.READ)

        thread = threading.Thread(target=end)
        thread.start()
        barrier.wait()
        call.method_returned("stream", attempt)
        thread.join()
        assert call.ending.outcome is CallOutcome.SUCCEEDED
        assert notes.count("call_ended", call) == 1


def test_attempts_that_begin_in_many_threads_have_numbers_of_their_own(runtime: Runtime) -> None:
    """A middleware that hedges sends them at the same time: no two of them are the same retry, and each is counted."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            call, barrier = runtime.begin_call(Invocation("messages.create")), threading.Barrier(4)

            def hedge(_: int, call: Call = call, barrier: threading.Barrier = barrier) -> list[Attempt]:
                barrier.wait()
                return [call.begin_attempt(replace(FACTS, retry_count=0)) for _ in range(100)]

            with ThreadPoolExecutor(4) as pool:
                attempts = [attempt for begun in pool.map(hedge, range(4)) for attempt in begun]
            assert sorted(attempt.retry.number if attempt.retry else 0 for attempt in attempts) == list(range(400))
            assert call.attempts.count == 400
    finally:
        sys.setswitchinterval(interval)


def test_bodies_that_end_in_many_threads_are_one_end(streaming: Call, notes: Notes) -> None:
    """Of many bodies that end at once in threads of their own, the last one ends the call, once."""
    attempts = [opened(streaming) for _ in range(8)]
    streaming.method_returned("stream", attempts[0])
    barrier = threading.Barrier(len(attempts))

    def end(attempt: Attempt) -> None:
        barrier.wait()
        attempt.fail(httpx.ReadError(""))

    threads = [threading.Thread(target=end, args=(attempt,)) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert streaming.ending.outcome is CallOutcome.FAILED
    assert notes.after == dict.fromkeys(attempts, AfterFailure.CALL_FAILED)
    assert notes.count("failure_decided") == len(attempts)
    assert notes.count("call_ended") == 1


class Parser(Exception):
    """What the SDK's clients that validate strictly raise."""

    __module__ = "anthropic"


Parser.__name__ = "APIResponseValidationError"


def unparsed(body: bytes) -> Exception:
    """What httpx raises for a body that is no JSON."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        httpx.Response(200, content=body).json()
    return caught.value


def in_memory(call: Call, clock: ManualClock, body: bytes = b'{"content":}') -> Attempt:
    """An attempt whose whole response is in memory after ten nanoseconds, for the SDK to parse."""
    attempt = call.begin_attempt(FACTS)
    clock.pass_(10)
    attempt.responded(200, {b"content-type": b"application/json"}, body=body)
    call.received_whole(attempt)
    return attempt


@pytest.mark.parametrize("error", [unparsed(b"{"), unparsed(b'{"\xff"}'), Parser()], ids=["json", "utf-8", "strict"])
def test_a_body_that_the_sdk_cannot_parse_fails_its_attempt(
    call: Call, clock: ManualClock, notes: Notes, error: Exception
) -> None:
    """A 2xx that looks like an answer is none if the SDK says so. The attempt ends when the body was there."""
    attempt = in_memory(call, clock)
    clock.pass_(100)
    call.method_raised(error)
    assert (attempt.outcome, attempt.error_type) == (AttemptOutcome.FAILED, "unexpected_content")
    assert (attempt.duration, call.duration) == (10, 110)
    assert (call.ending.outcome, call.ending.error_type) == (CallOutcome.FAILED, "client_error")
    assert call.ending.retry_stop is RetryStop.NOT_RETRYABLE
    assert notes.after == {attempt: AfterFailure.CALL_FAILED}


def test_what_fails_after_the_body_was_parsed_fails_no_attempt(call: Call, clock: ManualClock, notes: Notes) -> None:
    """An exception that is not of the parsing, such as that of a middleware, leaves the attempt completed."""
    attempt = in_memory(call, clock)
    call.method_raised(ValueError("an app's own"))
    assert (attempt.outcome, call.ending.outcome) == (AttemptOutcome.COMPLETED, CallOutcome.FAILED)
    assert notes.after == {}


def test_a_body_in_memory_ends_its_attempt_when_the_next_begins(call: Call, clock: ManualClock, notes: Notes) -> None:
    """A middleware that sends again has got the first answer: that has no part in what comes of the second."""
    first = in_memory(call, clock)
    second = in_memory(call, clock)
    assert (first.outcome, second.outcome) == (AttemptOutcome.COMPLETED, None)
    call.method_raised(unparsed(b"{"))
    assert (second.outcome, second.error_type) == (AttemptOutcome.FAILED, "unexpected_content")
    assert notes.events == [
        "call_started",
        "attempt_started",
        "attempt_ended",
        "attempt_started",
        "attempt_ended",
        "method_finished",
        "failure_decided",
        "call_ended",
    ]


def test_of_two_bodies_in_memory_it_is_not_known_which_was_parsed(call: Call, clock: ManualClock) -> None:
    """Of two attempts side by side whose bodies are there, none is blamed."""
    hedge = call.begin_attempt(FACTS)
    first = in_memory(call, clock)
    hedge.responded(200, {b"content-type": b"application/json"}, body=ANSWER)
    call.received_whole(hedge)
    call.method_raised(unparsed(b"{"))
    assert (first.outcome, hedge.outcome) == (AttemptOutcome.COMPLETED, AttemptOutcome.COMPLETED)


def test_a_body_that_comes_after_the_method_ends_its_attempt_at_once(call: Call, clock: ManualClock) -> None:
    """An attempt that another thread has sent waits for no reply of a method that has returned."""
    late = call.begin_attempt(FACTS)
    call.method_returned("reply", None)
    assert not ended(call)
    late.responded(200, {b"content-type": b"application/json"}, body=ANSWER)
    call.received_whole(late)
    assert late.outcome is AttemptOutcome.COMPLETED
    assert ended(call)


@pytest.mark.parametrize(("recorder", "method"), [(CallNotes, "method_finished"), (AttemptNotes, "used")])
def test_a_call_that_is_interrupted_as_it_returns_is_cancelled(
    recorder: type, method: str, call: Call, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app gets the interrupt in place of the reply, though that has come."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(recorder, method, interrupted)
    answered(call, clock, 200)
    with pytest.raises(KeyboardInterrupt):
        call.method_returned({"usage": {"input_tokens": 1}}, None)
    assert call.ending.outcome is CallOutcome.CANCELLED


def test_an_interrupt_while_a_body_is_parsed_fails_no_attempt(call: Call, clock: ManualClock) -> None:
    """A reply that the app has stopped waiting for was no failure."""
    attempt = in_memory(call, clock)
    call.method_raised(KeyboardInterrupt())
    assert (attempt.outcome, call.ending.outcome) == (AttemptOutcome.COMPLETED, CallOutcome.CANCELLED)
