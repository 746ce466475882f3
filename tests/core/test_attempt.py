"""One attempt: what each way of ending makes of it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

import anyio
import httpx
import pytest

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.cause import Cause
from anthropic_otel._core.ending import End
from anthropic_otel._core.event_json import ApiError
from anthropic_otel._core.reading import Reading
from anthropic_otel._core.recorder import AfterFailure
from anthropic_otel._core.request import RequestFacts
from anthropic_otel._core.retrying import is_retryable
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._core.semconv import AttemptOutcome, NetworkCause, Phase, RetryStop
from anthropic_otel._core.target import target_of
from anthropic_otel._core.usage import Usage
from core.notes import FACTS, OVERLOADED, SSE, STOP, AttemptNotes, ManualClock, Notes, Owner

RESPONSE = {b"request-id": b"req_1"}
PING = b"event: ping\n\n"


def stream(attempt: Attempt, *chunks: bytes) -> Reading:
    """The app reads an event stream, and has got `chunks` of it."""
    attempt.responded(200, SSE)
    reading = attempt.begin_body()
    for chunk in chunks:
        reading.asked_at = reading.clock_now()
        reading.on_chunk(chunk)
    return reading


# -- how it ends -------------------------------------------------------------------------------------------------------


def test_an_answer_is_completed(attempt: Attempt, clock: ManualClock, notes: Notes) -> None:
    """An answered attempt has its status, its request id, and the time from its start to its end."""
    clock.pass_(70)
    attempt.responded(200, RESPONSE, "1.1", ("192.0.2.1", 443))
    clock.pass_(7)
    attempt.end(End.READ)
    assert attempt.outcome is AttemptOutcome.COMPLETED
    assert (attempt.error_type, attempt.cause, attempt.exception_type) == (None, None, None)
    assert (attempt.duration, attempt.status, attempt.request_id) == (77, 200, "req_1")
    assert attempt.timeline.phase_durations() == {Phase.RECEIVE: 7}
    assert notes.events == ["attempt_started", "attempt_ended"]
    assert not is_retryable(attempt)


@pytest.mark.parametrize("how", [End.READ, End.CLOSED, End.LOST])
@pytest.mark.parametrize(
    ("status", "retryable"),
    [(302, False), (304, False), (399, False), (400, False), (429, True), (500, True), (529, True)],
)
def test_a_status_that_is_not_2xx_is_a_failure(attempt: Attempt, status: int, retryable: bool, how: End) -> None:
    """A status that is not 2xx fails the attempt however its body ends: the SDK raises for it, a redirect too."""
    attempt.responded(status, {})
    attempt.end(how)
    assert attempt.outcome is AttemptOutcome.FAILED
    assert (attempt.error_type, attempt.status) == (str(status), status)
    assert attempt.cause is None
    assert is_retryable(attempt) is retryable


def test_a_server_may_ask_for_no_retry(attempt: Attempt) -> None:
    """A response with `x-should-retry: false` is not retryable, whatever its status."""
    attempt.responded(529, {b"x-should-retry": b"false"})
    attempt.end(End.READ)
    assert not is_retryable(attempt)


@pytest.mark.parametrize(
    ("status", "kept"), [(200, None), (204, None), (302, RESPONSE), (400, RESPONSE), (529, RESPONSE)]
)
def test_only_the_headers_of_an_error_are_kept(attempt: Attempt, status: int, kept: dict[bytes, bytes] | None) -> None:
    """An open stream holds no headers; those of an error say whether and when the SDK retries."""
    attempt.responded(status, RESPONSE)
    assert attempt.response is not None
    assert attempt.response.error_headers == kept
    assert attempt.request_id == "req_1"


def test_a_complete_stream_is_completed(attempt: Attempt) -> None:
    """A stream that is closed after its end event is completed, though it was not read to its end."""
    stream(attempt, STOP)
    attempt.end(End.CLOSED)
    assert attempt.outcome is AttemptOutcome.COMPLETED


def test_an_error_event_is_a_failure(attempt: Attempt) -> None:
    """An `error` event fails the attempt with the API's type under a status of 200, and is never retried."""
    stream(attempt, OVERLOADED)
    attempt.end(End.CLOSED)
    assert attempt.outcome is AttemptOutcome.FAILED
    assert attempt.error_type == "overloaded_error"
    assert attempt.cause is None
    assert not is_retryable(attempt)


def test_a_stream_that_ends_too_early_is_a_failure(attempt: Attempt) -> None:
    """A message stream that ends without its end event is a failure, though the app sees no error."""
    stream(attempt, PING)
    attempt.end(End.READ)
    assert attempt.outcome is AttemptOutcome.FAILED
    assert attempt.error_type == "incomplete_stream"
    assert attempt.cause == Cause(NetworkCause.INCOMPLETE_STREAM, None, None)
    assert not is_retryable(attempt)


def test_a_stream_of_another_kind_needs_no_end_event(runtime: Runtime) -> None:
    """A stream that is no message is completed at its end, as only a message has an end event."""
    target = target_of("GET", "https", "h.test", None, "/v1/sessions/s1/events/stream")
    attempt = runtime.lone_attempts(0).begin_attempt(RequestFacts(target, stream=True))
    stream(attempt, PING)
    attempt.end(End.READ)
    assert attempt.outcome is AttemptOutcome.COMPLETED


def test_a_stream_that_the_app_leaves_is_abandoned(attempt: Attempt) -> None:
    """A stream that is closed before its end event is neither a success nor a failure."""
    stream(attempt, PING)
    attempt.end(End.CLOSED)
    assert attempt.outcome is AttemptOutcome.ABANDONED
    assert attempt.error_type is None


def test_a_body_that_is_closed_unread_is_abandoned(attempt: Attempt) -> None:
    """A body that is no event stream is abandoned when it is closed: nothing else tells its end."""
    attempt.responded(200, {})
    attempt.begin_body()
    attempt.end(End.CLOSED)
    assert attempt.outcome is AttemptOutcome.ABANDONED


def test_a_request_of_an_unknown_end_is_other(attempt: Attempt) -> None:
    """A request that was garbage-collected without an observed end has failed with `_OTHER`."""
    attempt.end(End.LOST)
    assert attempt.outcome is AttemptOutcome.FAILED
    assert attempt.error_type == "_OTHER"
    assert not is_retryable(attempt)


def test_an_exception_has_a_cause(attempt: Attempt, notes: Notes) -> None:
    """An attempt that raised has the cause and the type of the exception, and nothing of its text."""
    attempt.fail(httpx.ReadTimeout("secret"))
    assert attempt.outcome is AttemptOutcome.FAILED
    assert attempt.error_type == "read_timeout"
    assert attempt.exception_type == "httpx.ReadTimeout"
    assert attempt.cause == Cause(NetworkCause.READ_TIMEOUT, None, None)
    assert is_retryable(attempt)
    assert notes.events == ["attempt_started", "attempt_ended"]


def test_an_exception_while_the_app_reads_is_not_retryable(attempt: Attempt) -> None:
    """The SDK has returned when the app reads, so it retries nothing that fails then."""
    stream(attempt, PING)
    attempt.fail(httpx.ReadError("x"))
    assert attempt.error_type == "connection_error"
    assert not is_retryable(attempt)


@pytest.mark.parametrize("error", [httpx.ReadTimeout(""), ValueError()])
def test_a_status_that_fails_wins_over_the_exception_after_it(attempt: Attempt, error: Exception) -> None:
    """The status says more than what the reading of an error's body, or a transport that gives up, raises after it."""
    attempt.responded(500, RESPONSE)
    attempt.fail(error)
    assert (attempt.status, attempt.error_type, attempt.cause) == (500, "500", None)
    assert attempt.exception_type is not None
    assert attempt.request_id == "req_1"


def test_a_redirect_before_the_network_failed_says_nothing(attempt: Attempt) -> None:
    """A redirect was followed if the network failed after it, so its status and ids are not of the hop that failed."""
    attempt.responded(307, RESPONSE, "1.1")
    attempt.fail(httpx.ConnectTimeout(""))
    assert (attempt.status, attempt.response) == (None, None)
    assert attempt.error_type == "connect_timeout"
    assert attempt.request_id is None


def test_a_redirect_whose_body_the_app_reads_is_the_status(attempt: Attempt) -> None:
    """The send has returned it, so that it was not followed, whatever becomes of its body."""
    attempt.responded(307, RESPONSE, "1.1")
    attempt.begin_body()
    attempt.fail(httpx.RemoteProtocolError("peer closed connection without sending complete message body"))
    assert (attempt.status, attempt.error_type, attempt.request_id) == (307, "307", "req_1")


def test_a_redirect_that_the_transport_made_an_exception_of_is_the_status(attempt: Attempt) -> None:
    """An exception that says nothing of the network is what a transport made of the redirect."""
    attempt.responded(307, {})
    attempt.fail(ValueError())
    assert (attempt.status, attempt.error_type) == (307, "307")


def test_too_many_redirects_are_the_cause_and_not_the_last_status(attempt: Attempt) -> None:
    """The status of the last of too many redirects is kept, and the word is that of the loop."""
    attempt.responded(307, RESPONSE)
    attempt.fail(httpx.TooManyRedirects(""))
    assert (attempt.status, attempt.error_type) == (307, "too_many_redirects")
    assert attempt.cause == Cause(NetworkCause.TOO_MANY_REDIRECTS, None, None)


def test_the_next_hop_has_an_answer_of_its_own(attempt: Attempt) -> None:
    """What an earlier hop was answered is forgotten when the next one is sent."""
    attempt.responded(307, RESPONSE, "1.1")
    attempt.begin_hop()
    assert (attempt.status, attempt.response) == (None, None)
    attempt.responded(200, {})
    attempt.end(End.READ)
    assert (attempt.status, attempt.outcome, attempt.request_id) == (200, AttemptOutcome.COMPLETED, None)


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_what_the_app_stops_is_cancelled(attempt: Attempt, error: BaseException) -> None:
    """A cancellation, an interrupt or an exit of the app is no failure and has no cause."""
    attempt.fail(error)
    assert attempt.outcome is AttemptOutcome.CANCELLED
    assert (attempt.error_type, attempt.cause, attempt.exception_type) == (None, None, None)
    assert not is_retryable(attempt)


def test_an_attempt_ends_at_the_time_that_is_given(attempt: Attempt, clock: ManualClock) -> None:
    """An end that is noticed late lasts no longer than until it happened."""
    attempt.timeline.trace("http11.send_request_headers.started", {})
    clock.pass_(30)
    failed_at = clock.time
    clock.pass_(500)
    attempt.fail(httpx.ReadError(""), failed_at)
    assert attempt.duration == 30
    assert sum(attempt.timeline.phase_durations().values()) == 30


# -- a 2xx that is no answer -------------------------------------------------------------------------------------------

PAGE = {b"content-type": b"text/html; charset=utf-8"}
JSON = {b"content-type": b"application/json"}
AWS = {b"content-type": b"application/vnd.amazon.eventstream"}


@pytest.mark.parametrize(
    ("headers", "body", "is_answer"),
    [
        (JSON, b'{"type": "message", "content": []}', True),
        (JSON, b'{"type": "message"}', False),
        (JSON, b'{"type": "message"', False),
        (JSON, b'{"type":"error","error":{"type":"api_error"}}', False),
        (JSON, b'{"error": {"message": "no channel"}}', False),
        (JSON, b'{"error": null, "content": []}', True),
        (JSON, b'{"Output": {"__type": "a#B", "content": []}}', False),
        (JSON, b'{"__type": "a#B", "content": []}', False),
        ({}, b' \n{"content": []}', True),
        (JSON, b"{}", False),
        ({}, b" \n[]", False),
        (JSON, b"", False),
        (JSON, b"<html>", False),
        (PAGE, b'{"content": []}', True),
        (PAGE, b"<html>", False),
        (PAGE, None, True),
        (SSE, STOP, True),
        (AWS, b"\0", True),
    ],
)
def test_a_body_in_memory_is_an_answer_if_it_may_be_json(
    attempt: Attempt, headers: dict[bytes, bytes], body: bytes | None, is_answer: bool
) -> None:
    """A 2xx in memory is no answer if it is no JSON object, an error, or without content; one unseen is not judged."""
    attempt.responded(200, headers, body=body)
    attempt.end(End.READ)
    assert attempt.error_type == (None if is_answer else "unexpected_content")
    assert attempt.outcome is (AttemptOutcome.COMPLETED if is_answer else AttemptOutcome.FAILED)
    assert (attempt.cause, is_retryable(attempt)) == (None, False)


@pytest.mark.parametrize("status", [204, 205])
def test_a_status_without_a_body_is_an_answer(runtime: Runtime, status: int) -> None:
    """A 204 or a 205 has no body that could be JSON."""
    target = target_of("DELETE", "https", "api.anthropic.com", None, "/v1/files/f")
    attempt = runtime.lone_attempts(0).begin_attempt(RequestFacts(target))
    attempt.responded(status, {}, body=b"")
    attempt.end(End.READ)
    assert attempt.outcome is AttemptOutcome.COMPLETED


@pytest.mark.parametrize(
    ("body", "error_type", "api_error"),
    [
        (b'{"type": "error", "error": {"type": "overloaded_error"}}', "unexpected_content", "overloaded_error"),
        (b' {"error": "no channel"}', "unexpected_content", None),
        (b'{"data": [{"type": "error"}]}', None, None),
        (b"[]", "unexpected_content", None),
    ],
)
def test_an_error_is_no_answer_to_another_operation(
    runtime: Runtime, body: bytes, error_type: str | None, api_error: str | None
) -> None:
    """A gateway's error with status 200 is none to whatever was asked; what it says of its type is told."""
    target = target_of("GET", "https", "api.anthropic.com", None, "/v1/models")
    attempt = runtime.lone_attempts(0).begin_attempt(RequestFacts(target))
    attempt.responded(200, JSON, body=body)
    attempt.end(End.READ)
    assert attempt.error_type == error_type
    assert (attempt.api_error.type if attempt.api_error is not None else None) == api_error


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_short_error_in_place_of_an_answer_is_the_apis(runtime: Runtime, in_memory: bool) -> None:
    """The API's error in the body of a 2xx is known whether the body is in memory or the app reads it."""
    target, body = (
        target_of("GET", "https", "api.anthropic.com", None, "/v1/models"),
        b'{"error": {"type": "api_error"}}',
    )
    attempt = runtime.lone_attempts(0).begin_attempt(RequestFacts(target, stream=False))
    attempt.responded(200, JSON, body=body if in_memory else None)
    if not in_memory:
        attempt.begin_body().on_chunk(body)
    attempt.end(End.READ)
    assert attempt.error_type == "unexpected_content"
    assert attempt.api_error == ApiError("api_error", raw_type="api_error")


@pytest.mark.parametrize("status", [204, 205])
def test_a_status_without_a_body_is_no_message(attempt: Attempt, status: int) -> None:
    """A message is never empty: what has no body is no answer to a request for one."""
    attempt.responded(status, {}, body=b"")
    attempt.end(End.READ)
    assert (attempt.outcome, attempt.error_type) == (AttemptOutcome.FAILED, "unexpected_content")


@pytest.mark.parametrize(("headers", "body"), [(SSE, STOP), (SSE, b""), (AWS, b"\0")])
@pytest.mark.parametrize("in_memory", [True, False])
def test_an_event_stream_is_no_answer_where_json_was_asked_for(
    runtime: Runtime, headers: dict[bytes, bytes], body: bytes, in_memory: bool
) -> None:
    """A whole stream is no message to a request that asked for none: the SDK hands its text on as it is."""
    attempt = runtime.lone_attempts(0).begin_attempt(replace(FACTS, stream=False))
    attempt.responded(200, headers, body=body if in_memory else None)
    if not in_memory:
        attempt.begin_body().on_chunk(body)
    attempt.end(End.READ)
    assert (attempt.outcome, attempt.error_type) == (AttemptOutcome.FAILED, "unexpected_content")
    assert attempt.reading is None or attempt.reading.end is None


@pytest.mark.parametrize(
    ("headers", "chunks", "how", "error_type"),
    [
        (JSON, [b"", b' {"cont', b'ent": 1}', b" \n"], End.READ, None),
        (JSON, [b"", b' {"type"', b": 1}", b" \n"], End.READ, "unexpected_content"),
        (JSON, [b"", b' {"type"'], End.READ, "unexpected_content"),
        (JSON, [b"", b' {"type"'], End.CLOSED, None),
        (JSON, [b'{"type":"error",', b'"error":{}}'], End.READ, "unexpected_content"),
        (PAGE, [b'{"content":1}'], End.READ, None),
        (JSON, [b"<html>"], End.CLOSED, "unexpected_content"),
        (JSON, [], End.READ, "unexpected_content"),
        (JSON, [], End.CLOSED, None),
        (PAGE, [], End.CLOSED, "unexpected_content"),
    ],
)
def test_a_body_that_the_app_reads_is_judged_by_its_first_byte(
    attempt: Attempt, headers: dict[bytes, bytes], chunks: list[bytes], how: End, error_type: str | None
) -> None:
    """A body that passes is judged by its ends, and one that nobody read only by its content type."""
    attempt.responded(200, headers)
    reading = attempt.begin_body()
    for chunk in chunks:
        reading.on_chunk(chunk)
    attempt.end(how)
    assert attempt.error_type == error_type


@pytest.mark.parametrize(
    ("headers", "chunks", "how", "error_type"),
    [
        (PAGE, [STOP], End.READ, None),
        (JSON, [b'{"type": "message"}'], End.READ, "unexpected_content"),
        (PAGE, [b"<html>"], End.CLOSED, "unexpected_content"),
        (PAGE, [], End.CLOSED, "unexpected_content"),
        ({}, [], End.READ, "unexpected_content"),
        ({}, [], End.CLOSED, None),
        ({}, [PING], End.CLOSED, None),
        ({}, [PING], End.READ, "incomplete_stream"),
        (SSE, [], End.READ, "incomplete_stream"),
    ],
)
def test_an_event_stream_that_was_asked_for_is_known_by_its_first_bytes(
    runtime: Runtime, headers: dict[bytes, bytes], chunks: list[bytes], how: End, error_type: str | None
) -> None:
    """A whole stream under another content type is complete; JSON, a page or nothing in its place is no answer."""
    attempt = runtime.lone_attempts(0).begin_attempt(replace(FACTS, stream=True))
    attempt.responded(200, headers)
    reading = attempt.begin_body()
    for chunk in chunks:
        reading.on_chunk(chunk)
    attempt.end(how)
    assert attempt.error_type == error_type


def test_an_unknown_operation_is_answered_with_anything(runtime: Runtime) -> None:
    """Nobody knows what a path that is not the API's is to be answered with."""
    target = target_of("GET", "https", "h.test", None, "/status")
    attempt = runtime.lone_attempts(0).begin_attempt(RequestFacts(target))
    attempt.responded(200, PAGE, body=b"<html>")
    attempt.end(End.READ)
    assert attempt.outcome is AttemptOutcome.COMPLETED


# -- what the API says of it, and why nobody retries -------------------------------------------------------------------

SPENT = b'{"error": {"type": "rate_limit_error", "details": {"error_code": "spend_limit"}, "message": "secret"}}'


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_apis_own_error_is_read_off_the_body(attempt: Attempt, in_memory: bool) -> None:
    """Type and code of the API's error are kept of the body of an error response, and nothing else of it is."""
    attempt.responded(429, JSON, body=SPENT if in_memory else None)
    if not in_memory:
        reading = attempt.begin_body()
        for cut in (SPENT[:30], SPENT[30:]):
            reading.on_chunk(cut)
    attempt.end(End.READ)
    assert attempt.api_error == ApiError("rate_limit_error", "spend_limit", "rate_limit_error")
    assert attempt.error_type == "429"


QUOTED: Final = b'"message": "quoted: {\\"type\\": \\"api_error\\"} ' + b"x" * 100_000 + b'"'
CODE: Final = b'"details": {"error_code": "spend_limit"}'


@pytest.mark.parametrize("pieces", [0, 1, 50])
@pytest.mark.parametrize(
    "body",
    [
        b'{"type": "error", "error": {"type": "rate_limit_error", ' + CODE + b", " + QUOTED + b"}}",
        b'\n{"error": {' + QUOTED + b', "type": "rate_limit_error", ' + CODE + b'}, "request_id": "req_1"}',
        b'{"error": {"type": "rate_limit_error", ' + QUOTED + b", " + CODE + b"}}\n",
    ],
    ids=["before", "behind", "around"],
)
def test_the_apis_own_error_is_found_at_the_ends_of_a_long_body(attempt: Attempt, body: bytes, pieces: int) -> None:
    """A gateway may quote a request of any length in it. It is searched whether it is in memory (0) or read."""
    attempt.responded(429, JSON, body=None if pieces else body)
    if pieces:
        reading, size = attempt.begin_body(), len(body) // pieces + 1
        for at in range(0, len(body), size):
            reading.on_chunk(body[at : at + size])
    attempt.end(End.READ)
    assert attempt.api_error == ApiError("rate_limit_error", "spend_limit")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"error": {"message": "m"}, "input": {"in": {"type": "api_error", "error_code": "x"}, %s}}', None),
        (b'{"input": {"a": {"type": "api_error", "details": {"error_code": "x"}}, %s}}', None),
        (b'{"input": {"error": {"type": "api_error", "details": {"error_code": "x"}}, %s}}', None),
        (b'{"input": {%s, "error": {"type": "api_error", "details": {"error_code": "x"}}}}', None),
        (b'{"input": {%s, "details": {"error_code": "x"}}}', None),
        (b'{"error": {%s, "more": {"type": "api_error", "error_code": "x"}}}', None),
        (b'{"input": {"type": "api_error", %s}, "error": {"type": "rate_limit_error"}}', ApiError("rate_limit_error")),
        (b'{"error": {"type": "of_a_gateway", "details": {"error_code": "x"}, %s}}', ApiError("_OTHER", "x")),
        (b'{"error": {"type": "rate_limit_error", "code": "\xff", %s}}', ApiError("rate_limit_error")),
    ],
)
def test_the_members_of_a_request_in_a_long_body_are_no_error(
    attempt: Attempt, body: bytes, error: ApiError | None
) -> None:
    """Type and code count where the SDK reads them, as in a short body: a gateway may quote the request as JSON."""
    attempt.responded(422, JSON, body=body % QUOTED)
    attempt.end(End.READ)
    assert attempt.api_error == error


@pytest.mark.parametrize("start", [b"<html>", b"[", b""])
def test_a_long_body_that_is_no_object_says_no_error_of_the_api(attempt: Attempt, start: bytes) -> None:
    """A page of a gateway may have anything in it."""
    attempt.responded(502, {}, body=start + b'"type": "api_error"' * 2_000)
    attempt.end(End.READ)
    assert attempt.api_error is None


@pytest.mark.parametrize("body", [None, b"", b"<html>", b"[]", b'{"error": {"type": "of_a_gateway"}}', b" " * 20_000])
def test_a_body_that_says_no_error_of_the_api_has_none(attempt: Attempt, body: bytes | None) -> None:
    """What a gateway writes says no error of the API."""
    attempt.responded(502, {}, body=body)
    attempt.end(End.READ)
    assert attempt.api_error is None


def test_an_error_event_is_the_apis_error_too(attempt: Attempt) -> None:
    """An `error` event has a type as the body of an error response has."""
    stream(attempt, OVERLOADED)
    attempt.end(End.CLOSED)
    assert attempt.api_error == ApiError("overloaded_error", raw_type="overloaded_error")


def test_an_event_that_cannot_be_decoded_is_invalid(attempt: Attempt) -> None:
    """A stream that the SDK leaves at an event which it cannot decode has failed with a word of its own."""
    stream(attempt, b"event: content_block_delta\ndata: {cut\n\n")
    attempt.end(End.CLOSED)
    assert (attempt.outcome, attempt.error_type) == (AttemptOutcome.FAILED, "invalid_event")


@pytest.mark.parametrize(
    ("status", "headers", "left", "stop"),
    [
        (529, {}, 1, None),
        (529, {}, 0, RetryStop.EXHAUSTED),
        (529, {}, None, None),
        (400, {}, 1, RetryStop.NOT_RETRYABLE),
        (302, {}, 1, RetryStop.NOT_RETRYABLE),
        (529, {b"x-should-retry": b"false"}, 1, RetryStop.X_SHOULD_RETRY),
        (400, {b"x-should-retry": b"true"}, 0, RetryStop.EXHAUSTED),
        (200, {}, 1, None),
    ],
)
def test_why_the_sdk_does_not_retry_a_status(
    clock: ManualClock, status: int, headers: dict[bytes, bytes], left: int | None, stop: RetryStop | None
) -> None:
    """A failure says whether retries were used up, forbidden or of no use; without a call it says nothing."""
    attempt = Attempt(FACTS, clock, Owner(), started=0, wall=0, retries_left=left)
    attempt.responded(status, headers)
    attempt.end(End.READ)
    assert attempt.retry_stop is stop


@pytest.mark.parametrize(("left", "stop"), [(2, None), (0, RetryStop.EXHAUSTED), (None, None)])
def test_why_the_sdk_does_not_retry_an_exception(clock: ManualClock, left: int | None, stop: RetryStop | None) -> None:
    """A failure of the network is retried as long as a retry is left."""
    attempt = Attempt(FACTS, clock, Owner(), started=0, wall=0, retries_left=left)
    attempt.fail(httpx.ConnectError(""))
    assert attempt.retry_stop is stop


def test_a_stream_that_has_started_is_not_retried(clock: ManualClock) -> None:
    """What fails while the app reads is not retried, because the stream has started; nor is what is no answer."""
    for how in (OVERLOADED, httpx.ReadError("")):
        attempt = Attempt(FACTS, clock, Owner(), started=0, wall=0, retries_left=2)
        stream(attempt, how) if isinstance(how, bytes) else stream(attempt)
        attempt.end(End.CLOSED) if isinstance(how, bytes) else attempt.fail(how)
        assert attempt.retry_stop is RetryStop.STREAM_STARTED
    attempt = Attempt(FACTS, clock, Owner(), started=0, wall=0, retries_left=2)
    attempt.responded(200, PAGE, body=b"<html>")
    attempt.end(End.READ)
    assert attempt.retry_stop is RetryStop.NOT_RETRYABLE


def test_what_a_response_says_is_at_hand(attempt: Attempt) -> None:
    """Ids, size and the server's own time are read off the headers of the response."""
    attempt.responded(200, {**RESPONSE, b"content-length": b"7", b"x-envoy-upstream-service-time": b"250"})
    attempt.end(End.READ)
    assert attempt.response is not None
    facts = attempt.response
    assert (facts.request_id, facts.content_length, facts.server_duration) == (b"req_1", b"7", 0.25)
    assert attempt.request_id == "req_1"


# -- in which phase it failed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "responded", "phase"),
    [
        (httpx.ConnectTimeout(""), False, Phase.CONNECT),
        (httpx.PoolTimeout(""), False, Phase.POOL),
        (httpx.WriteTimeout(""), False, Phase.SEND),
        (httpx.ReadTimeout(""), False, Phase.WAIT),
        (httpx.ReadTimeout(""), True, Phase.RECEIVE),
    ],
)
def test_an_untraced_failure_has_the_phase_of_its_type(
    attempt: Attempt, error: Exception, responded: bool, phase: Phase
) -> None:
    """Without trace events, the exception and whether a response came tell the phase."""
    if responded:
        attempt.responded(200, {})
    attempt.fail(error)
    assert attempt.timeline.phase is phase


def test_a_traced_failure_has_the_phase_of_the_transport(attempt: Attempt) -> None:
    """Trace events tell a TLS handshake from a TCP connect, for which there is one exception."""
    attempt.timeline.trace("connection.connect_tcp.started", {"host": "api.anthropic.com"})
    attempt.timeline.trace("connection.start_tls.started", {})
    attempt.fail(httpx.ConnectTimeout(""))
    assert attempt.timeline.phase is Phase.TLS
    assert attempt.error_type == "tls_timeout"


def test_a_reset_while_sending_is_recorded_though_the_server_is_gone(attempt: Attempt) -> None:
    """A failed send is the cause, though the transport reads on and raises for a missing response."""
    attempt.timeline.trace("http11.send_request_headers.started", {})
    reset = httpx.WriteError("")
    reset.__cause__ = ConnectionResetError(104, "")
    attempt.timeline.trace("http11.send_request_body.failed", {"exception": reset})
    attempt.fail(httpx.RemoteProtocolError("Server disconnected without sending a response."))
    assert attempt.error_type == "connection_reset"
    assert attempt.cause is not None
    assert attempt.cause.errno == "ECONNRESET"


def test_a_request_that_cannot_be_written_is_no_timeout(attempt: Attempt) -> None:
    """The transport waits for an answer all the same: that none came is not why the attempt failed."""
    attempt.timeline.trace("http11.send_request_headers.started", {})
    unsent = httpx.WriteError("")
    unsent.__cause__ = PermissionError(1, "")
    attempt.timeline.trace("http11.send_request_body.failed", {"exception": unsent})
    attempt.fail(httpx.ReadTimeout(""))
    assert attempt.cause is not None
    assert (attempt.error_type, attempt.cause.errno) == ("network_unreachable", "EPERM")
    assert attempt.timeline.phase is Phase.SEND


def test_what_broke_a_tls_connection_while_sending_keeps_its_errno(attempt: Attempt) -> None:
    """anyio tells a reader of it only that it is broken."""
    attempt.timeline.trace("http11.send_request_headers.started", {})
    unsent, unread = httpx.WriteError(""), httpx.ReadError("")
    unsent.__cause__, unread.__cause__ = anyio.BrokenResourceError(), anyio.BrokenResourceError()
    unsent.__cause__.__cause__ = BrokenPipeError(32, "")
    attempt.timeline.trace("http11.send_request_body.failed", {"exception": unsent})
    attempt.fail(unread)
    assert attempt.cause is not None
    assert (attempt.error_type, attempt.cause.errno) == ("connection_reset", "EPIPE")
    assert attempt.timeline.phase is Phase.SEND


@pytest.mark.parametrize(("proxy", "word"), [("proxy.test:3128", "proxy_error"), (None, "connection_refused")])
def test_a_refusal_on_the_way_to_a_proxy_is_the_proxys(runtime: Runtime, proxy: str | None, word: str) -> None:
    """A refused connection is a proxy error if the transport uses a proxy, whatever host it connects to."""
    attempt = runtime.lone_attempts(0).begin_attempt(replace(FACTS, proxy=proxy))
    attempt.timeline.trace("connection.connect_tcp.started", {"host": "elsewhere.test"})
    error = httpx.ConnectError("")
    error.__cause__ = ConnectionRefusedError(111, "")
    attempt.fail(error)
    assert attempt.error_type == word
    assert attempt.cause is not None
    assert attempt.cause.errno == "ECONNREFUSED"


REFUSED_TUNNEL: tuple[tuple[str, dict[str, Any]], ...] = (
    ("connection.connect_tcp.started", {"host": "proxy.test"}),
    ("http11.send_request_headers.started", {"request": SimpleNamespace(method=b"CONNECT")}),
    ("http11.receive_response_headers.complete", {"return_value": (b"HTTP/1.1", 407, b"", [])}),
)


def test_a_request_that_is_lost_after_a_refused_tunnel_is_the_proxys(attempt: Attempt) -> None:
    """Event hooks hear of no exception, but the proxy's refusal of `CONNECT` is seen by the transport."""
    for event in REFUSED_TUNNEL:
        attempt.timeline.trace(*event)
    attempt.end(End.LOST)
    assert attempt.cause == Cause(NetworkCause.PROXY_ERROR, None, Phase.CONNECT)
    assert (attempt.error_type, attempt.status) == ("proxy_error", None)


@pytest.mark.parametrize(("emits_events", "phase"), [(True, Phase.AUTH), (False, Phase.CONNECT)])
def test_credentials_that_cannot_be_fetched_fail_in_the_auth_phase(
    runtime: Runtime, emits_events: bool, phase: Phase
) -> None:
    """What fails before the first event of a transport that tells of its events has failed in the auth flow."""
    facts = replace(FACTS, fetches_credentials=True, emits_events=emits_events)
    attempt = runtime.lone_attempts(0).begin_attempt(facts)
    attempt.fail(httpx.ConnectError(""))
    assert attempt.timeline.phase is phase


def test_a_body_that_fails_inside_the_send_has_a_response(attempt: Attempt) -> None:
    """Status and headers of a body that fails inside the send are taken from the transport's events."""
    answer = (b"HTTP/1.1", 200, b"OK", [(b"Request-Id", b"req_2")])
    attempt.timeline.trace("http11.receive_response_headers.complete", {"return_value": answer})
    attempt.fail(httpx.ReadTimeout(""))
    assert attempt.response is not None
    assert (attempt.status, attempt.response.protocol_version, attempt.request_id) == (200, "1.1", "req_2")
    assert attempt.timeline.phase is Phase.RECEIVE
    assert attempt.timeline.received is None


def test_a_cancelled_attempt_of_a_silent_transport_did_not_wait_for_a_pool(
    attempt: Attempt, clock: ManualClock
) -> None:
    """Without trace events it is unknown where the time went, as there may be no pool."""
    clock.pass_(5)
    attempt.fail(KeyboardInterrupt())
    assert attempt.timeline.phase_durations() == {}


def test_a_pool_timeout_waited_for_the_pool(attempt: Attempt, clock: ManualClock) -> None:
    """A pool timeout spent its whole time in the pool phase, also without trace events."""
    clock.pass_(5)
    attempt.fail(httpx.PoolTimeout(""))
    assert attempt.timeline.phase_durations() == {Phase.POOL: 5}


# -- exactly one end ---------------------------------------------------------------------------------------------------


def test_a_failure_of_the_library_while_concluding_is_still_an_end(
    attempt: Attempt, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt whose facts cannot be concluded has failed with `_OTHER`, and its recorder is told."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("anthropic_otel._core.ending.classify", fail)
    attempt.fail(httpx.ReadTimeout(""))
    assert attempt.outcome is AttemptOutcome.FAILED
    assert attempt.error_type == "_OTHER"
    assert notes.count("attempt_ended") == 1


@pytest.mark.parametrize("response", [(b"HTTP/1.1", 200, b"OK", [7]), 7])
def test_a_response_that_cannot_be_read_off_the_transport_costs_only_itself(
    attempt: Attempt, notes: Notes, response: Any
) -> None:
    """What a transport has told of a response and cannot be understood leaves the cause of the failure as it is."""
    attempt.timeline.trace("http11.receive_response_headers.complete", {"return_value": response})
    attempt.fail(httpx.ReadTimeout(""))
    assert (attempt.outcome, attempt.error_type) == (AttemptOutcome.FAILED, "read_timeout")
    assert (attempt.status, attempt.timeline.received) == (None, None)
    assert notes.count("attempt_ended") == 1


def test_it_does_not_change_after_its_end(attempt: Attempt, clock: ManualClock, notes: Notes) -> None:
    """Whatever comes after the first end changes nothing and is not told."""
    attempt.end(End.READ)
    clock.pass_(5)
    attempt.responded(500, RESPONSE, "2", ("192.0.2.1", 1))
    attempt.timeline.trace("connection.connect_tcp.started", {})
    attempt.fail(httpx.ReadTimeout(""))
    attempt.end(End.LOST)
    assert (attempt.status, attempt.outcome, attempt.duration) == (None, AttemptOutcome.COMPLETED, 0)
    assert attempt.ended
    assert notes.events == ["attempt_started", "attempt_ended"]


def test_of_many_threads_one_ends_it(attempt: Attempt, notes: Notes) -> None:
    """Of ends in many threads at once one counts, and the others wait for nothing."""
    barrier = threading.Barrier(8)

    def end() -> None:
        barrier.wait()
        attempt.end(End.CLOSED)

    threads = [threading.Thread(target=end) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notes.counts() == {"attempt_started": 1, "attempt_ended": 1}


def test_a_failure_and_an_end_in_two_threads_are_one_end(runtime: Runtime, notes: Notes) -> None:
    """Of a failure in one thread and an end in another the first wins, and its facts are not mixed with the other's."""
    for _ in range(50):
        attempt = runtime.lone_attempts(0).begin_attempt(FACTS)
        barrier = threading.Barrier(2)

        def fail(attempt: Attempt = attempt, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            attempt.fail(httpx.ReadTimeout(""))

        thread = threading.Thread(target=fail)
        thread.start()
        barrier.wait()
        attempt.end(End.READ)
        thread.join()
        assert notes.count("attempt_ended", attempt) == 1
        assert (attempt.outcome, attempt.error_type, attempt.exception_type) in {
            (AttemptOutcome.COMPLETED, None, None),
            (AttemptOutcome.FAILED, "read_timeout", "httpx.ReadTimeout"),
        }


def test_an_end_within_an_end_is_ignored(runtime: Runtime, clock: ManualClock) -> None:
    """A finalizer or a signal handler that ends an attempt in the middle of its end does not deadlock."""
    ended: list[Attempt] = []

    def end_again(attempt: Attempt) -> None:
        ended.append(attempt)
        attempt.end(End.CLOSED)

    attempt = Attempt(FACTS, clock, Owner(end_again), started=clock.now(), wall=clock.wall())
    attempt.end(End.READ)
    assert ended == [attempt]
    assert attempt.outcome is AttemptOutcome.COMPLETED


def test_the_owner_is_told_of_the_end_after_the_recorder(clock: ManualClock, notes: Notes) -> None:
    """Its owner is told once, when the recorder has been told, so that a call ends after its attempts."""
    attempt = Attempt(
        FACTS, clock, Owner(lambda ended: notes.note("owner", ended)), started=clock.now(), wall=clock.wall()
    )
    attempt.recorder = notes.start_attempt(attempt)
    attempt.end(End.READ)
    attempt.end(End.READ)
    assert notes.told == [("attempt_started", attempt), ("attempt_ended", attempt), ("owner", attempt)]


def test_an_interrupt_while_an_end_is_recorded_leaves_no_tokens_out(clock: ManualClock, notes: Notes) -> None:
    """A processor may export the span at once, which takes longer than all else: an interrupt mostly comes there."""

    class Interrupted(AttemptNotes):
        def end(self, attempt: Attempt) -> None:
            super().end(attempt)
            raise KeyboardInterrupt

    ended: list[Attempt] = []
    attempt = Attempt(FACTS, clock, Owner(ended.append), started=clock.now(), wall=clock.wall())
    attempt.recorder = Interrupted(notes, attempt)
    stream(attempt, b'event: message_start\ndata: {"message": {"usage": {"input_tokens": 3}}}\n\n', STOP)
    with pytest.raises(KeyboardInterrupt):
        attempt.end(End.READ)
    assert notes.used == [(attempt, Usage(3))]
    assert ended == [attempt]


def test_the_owner_is_told_though_the_recorder_fails(clock: ManualClock, notes: Notes) -> None:
    """A recorder that breaks its promise not to raise does not keep a call open for ever."""

    class Broken(AttemptNotes):
        def end(self, attempt: Attempt) -> None:
            raise RuntimeError("broken")

    ended: list[Attempt] = []
    attempt = Attempt(FACTS, clock, Owner(ended.append), started=clock.now(), wall=clock.wall())
    attempt.recorder = Broken(notes, attempt)
    attempt.end(End.READ)
    assert ended == [attempt]


# -- what it says of itself --------------------------------------------------------------------------------------------


def test_without_a_call_the_url_tells_the_operation(runtime: Runtime) -> None:
    """The URL tells the operation of an attempt without a call, and whether its stream ends with `message_stop`."""
    target = target_of("POST", "https", "h.test", None, "/v1/messages/count_tokens")
    attempt = runtime.lone_attempts(0).begin_attempt(RequestFacts(target))
    assert attempt.operation == "messages.count_tokens"
    assert not attempt.is_message
    assert attempt.resend_count == 0
    assert attempt.status is None
    assert attempt.request_id is None


def test_an_attempt_without_a_call_reads_the_wall_clock(attempt: Attempt, clock: ManualClock) -> None:
    """The place on the calendar of an attempt without a call is that of its start."""
    assert attempt.wall == clock.wall()
    clock.pass_(1)
    assert attempt.wall == clock.wall() - 1


def test_a_failed_attempt_of_no_call_is_decided_when_its_send_has_finished(runtime: Runtime, notes: Notes) -> None:
    """Nobody but a transport retries an attempt without a call, so its failure is that of the request."""
    source = runtime.lone_attempts(0)
    attempt = source.begin_attempt(FACTS)
    attempt.fail(httpx.ReadTimeout(""))
    assert notes.after == {}
    source.send_finished()
    assert notes.after == {attempt: AfterFailure.CALL_FAILED}
