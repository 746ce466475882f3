"""One attempt: what each way of ending makes of it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest

from anthropic_otel._core.attempt import Attempt, End
from anthropic_otel._core.cause import Cause
from anthropic_otel._core.semconv import AttemptOutcome, NetworkCause, Phase
from anthropic_otel._core.target import target_of

STOP = b'event: message_stop\ndata: {"type": "message_stop"}\n\n'
ERROR = b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n'
RESPONSE = {b"request-id": b"req_1"}


def stream(attempt: Attempt, *chunks: bytes, is_message: bool = True) -> None:
    attempt.responded(200, {b"content-type": b"text/event-stream"})
    reading = attempt.read(event_stream=True, is_message=is_message)
    for chunk in chunks:
        reading.asked_at = reading.now()
        reading.arrived()
        reading.decoded(chunk)


def test_an_answer_is_completed(attempt: Attempt, clock: Any, notes: Any) -> None:
    """With its status, its ids, and the time from its start to its end."""
    clock.pass_(70)
    attempt.responded(200, RESPONSE, "1.1", ("192.0.2.1", 443))
    clock.pass_(7)
    attempt.end(End.READ)
    assert attempt.outcome is AttemptOutcome.COMPLETED
    assert (attempt.error_type, attempt.cause, attempt.exception_type) == (None, None, None)
    assert (attempt.duration, attempt.status_class, attempt.request_id) == (77, "2xx", "req_1")
    assert attempt.timeline.known() == {Phase.RECEIVE: 7}
    assert notes.names() == {"attempt_ended": 1}
    assert not attempt.retryable


@pytest.mark.parametrize("how", [End.READ, End.CLOSED, End.LOST])
@pytest.mark.parametrize(("status", "retryable"), [(400, False), (429, True), (500, True), (529, True)])
def test_an_error_status_is_a_failure(attempt: Attempt, status: int, retryable: bool, how: End) -> None:
    """However its body ended: the SDK closes it unread before a retry."""
    attempt.responded(status, {})
    attempt.end(how)
    assert attempt.outcome is AttemptOutcome.FAILED
    assert attempt.error_type == str(status)
    assert attempt.status_class == f"{status // 100}xx"
    assert attempt.cause is None
    assert attempt.retryable is retryable


def test_a_server_may_ask_for_no_retry(attempt: Attempt) -> None:
    """As the SDK obeys."""
    attempt.responded(529, {b"x-should-retry": b"false"})
    attempt.end(End.READ)
    assert not attempt.retryable


def test_a_complete_stream_is_completed(attempt: Attempt) -> None:
    """However it was closed after its end event."""
    stream(attempt, STOP)
    attempt.end(End.CLOSED)
    assert attempt.outcome is AttemptOutcome.COMPLETED


def test_an_error_event_is_a_failure(attempt: Attempt) -> None:
    """With the API's type, though the status is 200; it is never retried."""
    stream(attempt, ERROR)
    attempt.end(End.CLOSED)
    assert attempt.outcome is AttemptOutcome.FAILED
    assert attempt.error_type == "overloaded_error"
    assert attempt.cause is None
    assert not attempt.retryable


def test_a_stream_that_ends_too_early_is_a_failure(attempt: Attempt) -> None:
    """The app sees no error; the end event is missing."""
    stream(attempt, b"event: ping\n\n")
    attempt.end(End.READ)
    assert attempt.outcome is AttemptOutcome.FAILED
    assert attempt.error_type == "incomplete_stream"
    assert attempt.cause == Cause(NetworkCause.INCOMPLETE_STREAM, None, None)
    assert not attempt.retryable


def test_a_stream_of_another_kind_needs_no_end_event(attempt: Attempt) -> None:
    """Only a message has one."""
    stream(attempt, b"event: ping\n\n", is_message=False)
    attempt.end(End.READ)
    assert attempt.outcome is AttemptOutcome.COMPLETED


def test_a_stream_that_the_app_leaves_is_abandoned(attempt: Attempt) -> None:
    """Neither a success nor a failure."""
    stream(attempt, b"event: ping\n\n")
    attempt.end(End.CLOSED)
    assert attempt.outcome is AttemptOutcome.ABANDONED
    assert attempt.error_type is None


def test_a_body_that_is_closed_unread_is_abandoned(attempt: Attempt) -> None:
    """A body that is no event stream has no other sign of its end."""
    attempt.responded(200, {})
    attempt.read(event_stream=False, is_message=False)
    attempt.end(End.CLOSED)
    assert attempt.outcome is AttemptOutcome.ABANDONED


def test_a_request_of_which_nobody_told_the_end_is_other(attempt: Attempt) -> None:
    """An event hook sees no failure of a pool or of a custom transport."""
    attempt.end(End.LOST)
    assert attempt.outcome is AttemptOutcome.FAILED
    assert attempt.error_type == "_OTHER"
    assert not attempt.retryable


def test_an_exception_has_a_cause(attempt: Attempt, notes: Any) -> None:
    """Its type is told, its text is not kept."""
    attempt.end(End.RAISED, httpx.ReadTimeout("secret"))
    assert attempt.outcome is AttemptOutcome.FAILED
    assert attempt.error_type == "read_timeout"
    assert attempt.exception_type == "httpx.ReadTimeout"
    assert attempt.cause == Cause(NetworkCause.READ_TIMEOUT, None, None)
    assert attempt.retryable
    assert notes.fatal == {id(attempt): True}


def test_an_exception_while_the_app_reads_is_the_apps(attempt: Attempt) -> None:
    """The SDK has returned by then, and retries nothing."""
    stream(attempt, b"event: ping\n\n")
    attempt.end(End.RAISED, httpx.ReadError("x"))
    assert attempt.error_type == "connection_error"
    assert not attempt.retryable


def test_an_exception_after_an_error_status_is_the_network(attempt: Attempt) -> None:
    """The body of an error was cut: what failed the attempt last is told."""
    attempt.responded(500, {})
    attempt.end(End.RAISED, httpx.ReadTimeout(""))
    assert (attempt.status, attempt.error_type) == (500, "read_timeout")


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_what_the_app_stops_is_cancelled(attempt: Attempt, error: BaseException) -> None:
    """It is no failure, and has no cause."""
    attempt.end(End.RAISED, error)
    assert attempt.outcome is AttemptOutcome.CANCELLED
    assert (attempt.error_type, attempt.cause, attempt.exception_type) == (None, None, None)
    assert not attempt.retryable


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
    """Without the transport's events, the exception and whether a response came say where it was."""
    if responded:
        attempt.responded(200, {})
    attempt.end(End.RAISED, error)
    assert attempt.timeline.phase is phase


def test_a_traced_failure_has_the_phase_of_the_transport(attempt: Attempt) -> None:
    """The same exception stands for a TCP connect and for a TLS handshake."""
    attempt.timeline.trace("connection.connect_tcp.started", {"host": "api.anthropic.com"})
    attempt.timeline.trace("connection.start_tls.started", {})
    attempt.end(End.RAISED, httpx.ConnectTimeout(""))
    assert attempt.timeline.phase is Phase.TLS
    assert attempt.error_type == "tls_timeout"


def test_a_reset_while_sending_is_told_though_the_server_is_gone(attempt: Attempt) -> None:
    """The transport reads on after a failed send, and raises for what it then does not find."""
    attempt.timeline.trace("http11.send_request_headers.started", {})
    reset = httpx.WriteError("")
    reset.__cause__ = ConnectionResetError(104, "")
    attempt.timeline.trace("http11.send_request_body.failed", {"exception": reset})
    attempt.end(End.RAISED, httpx.RemoteProtocolError("Server disconnected without sending a response."))
    assert attempt.error_type == "connection_reset"
    assert attempt.cause is not None
    assert attempt.cause.errno == "ECONNRESET"


def test_a_refusal_on_the_way_to_another_host_is_the_proxys(attempt: Attempt) -> None:
    """The transport told where it was connecting to."""
    attempt.timeline.trace("connection.connect_tcp.started", {"host": "proxy.test"})
    error = httpx.ConnectError("")
    error.__cause__ = ConnectionRefusedError(111, "")
    attempt.end(End.RAISED, error)
    assert attempt.error_type == "proxy_error"


def test_a_body_that_fails_inside_the_send_has_a_response(attempt: Attempt) -> None:
    """The SDK's caller never saw it; the transport told of it."""
    headers = [(b"Request-Id", b"req_2")]
    attempt.timeline.trace(
        "http11.receive_response_headers.complete", {"return_value": (b"HTTP/1.1", 200, b"OK", headers)}
    )
    attempt.end(End.RAISED, httpx.ReadTimeout(""))
    assert (attempt.status, attempt.protocol_version, attempt.request_id) == (200, "1.1", "req_2")
    assert attempt.timeline.phase is Phase.RECEIVE


def test_what_cannot_be_made_sense_of_is_still_an_end(attempt: Attempt, notes: Any) -> None:
    """A failure of ours while concluding leaves the attempt failed, and told."""
    attempt.timeline.answer = (b"HTTP/1.1", 200, b"OK", [7])
    attempt.end(End.READ)
    assert attempt.outcome is AttemptOutcome.FAILED
    assert attempt.error_type == "_OTHER"
    assert notes.count("attempt_ended") == 1


def test_it_does_not_change_after_its_end(attempt: Attempt, clock: Any, notes: Any) -> None:
    """Whatever comes later, in whatever order."""
    attempt.end(End.READ)
    clock.pass_(5)
    attempt.responded(500, RESPONSE, "2", ("192.0.2.1", 1))
    attempt.timeline.trace("connection.connect_tcp.started", {})
    attempt.end(End.RAISED, httpx.ReadTimeout(""))
    assert (attempt.status, attempt.outcome, attempt.duration) == (None, AttemptOutcome.COMPLETED, 0)
    assert attempt.ended
    assert notes.names() == {"attempt_ended": 1}


def test_of_many_threads_one_ends_it(attempt: Attempt, notes: Any) -> None:
    """The others come too late, and wait for nothing."""
    barrier = threading.Barrier(8)

    def end() -> None:
        barrier.wait()
        attempt.end(End.CLOSED)

    threads = [threading.Thread(target=end) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notes.count("attempt_ended") == 1


def test_without_a_call_the_url_tells_the_operation(clock: Any, notes: Any) -> None:
    """And whether a stream must end with `message_stop`."""
    target = target_of("POST", "https", "h.test", None, "/v1/messages/count_tokens")
    attempt = Attempt(target, notes, clock)
    assert attempt.operation == "messages.count_tokens"
    assert not attempt.is_message
    assert attempt.resend_count == 0
    assert attempt.status_class is None
    assert attempt.request_id is None


def test_its_place_on_the_calendar_is_read_once(attempt: Attempt, clock: Any) -> None:
    """Without a call it reads the wall clock itself."""
    assert attempt.wall == clock.wall()


def test_a_cancelled_attempt_of_a_silent_transport_did_not_wait_for_a_pool(attempt: Attempt, clock: Any) -> None:
    """Without events it is not known where the time went: there may be no pool at all."""
    clock.pass_(5)
    attempt.end(End.RAISED, KeyboardInterrupt())
    assert attempt.timeline.known() == {}


def test_a_pool_timeout_waited_for_the_pool(attempt: Attempt, clock: Any) -> None:
    """Here the failure itself says so, and the whole time was spent there."""
    clock.pass_(5)
    attempt.end(End.RAISED, httpx.PoolTimeout(""))
    assert attempt.timeline.known() == {Phase.POOL: 5}
