"""One `send` of an HTTP client: its attempts, of which a transport below the client may make more than one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

import httpx
import pytest

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.ending import End
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.recorder import AfterFailure
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._core.semconv import AttemptOutcome, CallOutcome, Phase, RetrySource
from anthropic_otel._core.send import Send
from anthropic_otel._core.timeline import Timeline
from core.notes import FACTS, ManualClock, Notes

Event = tuple[str, dict[str, Any]]
CONNECT: Final[tuple[Event, ...]] = (
    ("connection.connect_tcp.started", {"host": "api.anthropic.com"}),
    ("connection.connect_tcp.complete", {}),
)
REQUEST: Final[tuple[Event, ...]] = (
    ("http11.send_request_headers.started", {}),
    ("http11.send_request_body.complete", {}),
)


def answer(status: int, *headers: tuple[bytes, bytes]) -> Event:
    return "http11.receive_response_headers.complete", {"return_value": (b"HTTP/1.1", status, b"", list(headers))}


def failure(event: str = "http11.receive_response_headers.failed", error: BaseException | None = None) -> Event:
    return event, {"exception": error if error is not None else httpx.ReadTimeout("")}


def tell(send: Send, clock: ManualClock, *events: Event) -> None:
    """The transport's events, ten nanoseconds apart."""
    for event in events:
        clock.pass_(10)
        send.trace(*event)


@pytest.fixture
def lone(runtime: Runtime) -> Send:
    """A send that belongs to no call."""
    return Send(runtime.lone_attempts(0), replace(FACTS, model="claude-opus-4-5"))


@pytest.fixture(params=["lone", "of a call"])
def send(request: pytest.FixtureRequest, runtime: Runtime, call: Call) -> Send:
    """A send that belongs to a call, and one that does not."""
    source = call if request.param == "of a call" else runtime.lone_attempts(0)
    return Send(source, replace(FACTS, model="claude-opus-4-5"))


# -- one attempt -------------------------------------------------------------------------------------------------------


def test_a_send_that_is_answered_has_one_attempt(lone: Send, clock: ManualClock, notes: Notes) -> None:
    """The recorder is told of the response before its body ends, and gets the response's headers."""
    tell(lone, clock, *CONNECT, *REQUEST, answer(200))
    attempt = lone.responded(200, {b"request-id": b"req_1"}, "1.1", ("192.0.2.1", 443))
    assert attempt is lone.attempt
    assert attempt is not None
    assert attempt.response is not None
    assert (attempt.status, attempt.response.protocol_version, attempt.request_id) == (200, "1.1", "req_1")
    assert attempt.timeline.peer == ("192.0.2.1", 443)
    assert notes.response_headers == [{b"request-id": b"req_1"}]
    attempt.end(End.READ)
    assert notes.events == ["attempt_started", "send_finished", "attempt_ended"]


def test_a_send_that_raises_fails_its_attempt(lone: Send, notes: Notes) -> None:
    """The recorder is told that there is no response, that the attempt has ended, and that nobody retries it."""
    lone.failed(httpx.ConnectError(""))
    assert lone.attempt.outcome is AttemptOutcome.FAILED
    assert notes.response_headers == [None]
    assert notes.events == ["attempt_started", "send_finished", "attempt_ended", "failure_decided"]
    assert notes.after == {lone.attempt: AfterFailure.CALL_FAILED}


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit()])
def test_a_send_that_the_app_stops_is_cancelled(lone: Send, notes: Notes, error: BaseException) -> None:
    """A send that is cancelled has no failure of which anything could be decided."""
    lone.failed(error)
    assert lone.attempt.outcome is AttemptOutcome.CANCELLED
    assert notes.after == {}


def test_a_send_whose_end_was_not_seen_is_lost(lone: Send, notes: Notes) -> None:
    """An event hook may not see how a request ended: its attempt fails when the request is collected."""
    lone.lost()
    assert (lone.attempt.outcome, lone.attempt.error_type) == (AttemptOutcome.FAILED, "_OTHER")
    assert notes.after == {lone.attempt: AfterFailure.CALL_FAILED}


def test_the_coroutine_for_async_transports_does_the_same(lone: Send, clock: ManualClock) -> None:
    """An async transport takes a coroutine, which waits for nothing."""
    clock.pass_(5)
    asyncio.run(lone.atrace("http11.send_request_headers.started", {}))
    assert lone.attempt.timeline.phase is Phase.SEND
    assert lone.attempt.timeline.phase_durations() == {Phase.POOL: 5}


def test_the_model_is_that_of_the_request(lone: Send) -> None:
    """Each attempt of a send has the model that was given to it."""
    assert lone.attempt.model == "claude-opus-4-5"


# -- a further request by the transport --------------------------------------------------------------------------------

FAILURES = [
    *("connection.connect_tcp.failed", "connection.start_tls.failed"),
    *("http11.send_request_headers.failed", "http11.send_request_body.failed"),
    *("http11.receive_response_headers.failed", "http2.receive_response_body.failed"),
]


@pytest.mark.parametrize("event", FAILURES)
@pytest.mark.parametrize("again", [(*CONNECT, *REQUEST), REQUEST], ids=["new connection", "reused connection"])
def test_a_request_after_one_that_failed_is_another_attempt(
    send: Send, clock: ManualClock, notes: Notes, event: str, again: tuple[Event, ...]
) -> None:
    """A transport that sends again after an exception makes a second attempt of the same send."""
    first = send.attempt
    tell(send, clock, *CONNECT, *REQUEST, failure(event, httpx.ReadError("")), *again, answer(200))
    second = send.responded(200, {})
    assert second is not None
    assert second is send.attempt is not first
    second.end(End.READ)
    assert (first.outcome, first.error_type) == (AttemptOutcome.FAILED, "connection_error")
    assert first.exception_type == "httpx.ReadError"
    assert second.outcome is AttemptOutcome.COMPLETED
    assert second.retry is not None
    assert (second.retry.number, second.retry.reason) == (1, "connection_error")
    assert second.retry.source is RetrySource.TRANSPORT
    assert (second.request.target, second.model) == (first.request.target, first.model)
    assert notes.response_headers == [None, {}]
    assert notes.after == {first: AfterFailure.RETRIED}


@pytest.mark.parametrize("status", [400, 403, 408, 429, 500, 529])
def test_a_request_after_an_error_status_is_another_attempt(
    send: Send, clock: ManualClock, notes: Notes, status: int
) -> None:
    """A transport that sends again after a status of 400 or more makes a second attempt, each with its own facts."""
    first = send.attempt
    refused = answer(status, (b"Request-Id", b"req_1"), (b"Retry-After", b"3"))
    tell(send, clock, *CONNECT, *REQUEST, refused, ("http11.response_closed.complete", {}), *REQUEST, answer(200))
    second = send.responded(200, {b"request-id": b"req_2"})
    assert second is not None
    assert second is not first
    assert (first.status, first.error_type, first.request_id) == (status, str(status), "req_1")
    assert (first.outcome, first.cause, first.timeline.reused) == (AttemptOutcome.FAILED, None, False)
    assert (second.status, second.request_id, second.timeline.reused) == (200, "req_2", True)
    assert second.retry is not None
    assert (second.retry.reason, second.retry.source) == (str(status), RetrySource.TRANSPORT)
    assert notes.after == {first: AfterFailure.RETRIED}


@pytest.mark.parametrize("status", [200, 302, 307, 308, 401, 407])
def test_a_request_after_another_status_is_a_hop_of_the_same_attempt(
    send: Send, clock: ManualClock, notes: Notes, status: int
) -> None:
    """What follows a redirect or a wanted credential belongs to the attempt that began it."""
    first = send.attempt
    tell(send, clock, *CONNECT, *REQUEST, answer(status), *REQUEST, answer(200))
    assert send.responded(200, {}) is first
    first.end(End.READ)
    assert (first.status, first.outcome) == (200, AttemptOutcome.COMPLETED)
    assert notes.count("attempt_started") == 1


def same(path: bytes = b"/v1/messages") -> Event:
    """The start of a request, with what httpcore says of it."""
    url = SimpleNamespace(target=path)
    return "http11.send_request_headers.started", {"request": SimpleNamespace(method=b"POST", url=url)}


SAME_HOST: Final[Event] = ("connection.connect_tcp.started", {"host": "api.anthropic.com", "port": 443})


@pytest.mark.parametrize("connects", [False, True])
def test_the_same_request_after_an_answer_is_another_attempt(
    send: Send, clock: ManualClock, notes: Notes, connects: bool
) -> None:
    """A hook or a transport may mirror what is sent: both requests have reached the server, and both have an end."""
    first = send.attempt
    tell(send, clock, *CONNECT, same(), answer(200, (b"request-id", b"req_1")))
    answered_at = clock.time
    tell(send, clock, *([SAME_HOST] if connects else []), same(), answer(200, (b"request-id", b"req_2")))
    second = send.responded(200, {b"request-id": b"req_2"})
    second.end(End.READ)
    assert second is not first
    assert (first.outcome, first.request_id, first.duration) == (AttemptOutcome.COMPLETED, "req_1", answered_at - 1_000)
    assert (second.outcome, second.request_id) == (AttemptOutcome.COMPLETED, "req_2")
    assert second.retry is not None
    assert (second.retry.number, second.retry.reason, second.retry.source) == (1, "fallback", None)
    assert notes.count("attempt_started") == 2


def test_each_request_that_is_mirrored_has_its_number(send: Send, clock: ManualClock, notes: Notes) -> None:
    """They are counted on where none of them has failed, and where one of them has."""
    for status in (200, 200, 529, 200):
        tell(send, clock, same(), answer(status))
    send.responded(200, {})
    attempts = [attempt for event, attempt in notes.told if event == "attempt_started"]
    assert [attempt.resend_count for attempt in attempts if isinstance(attempt, Attempt)] == [0, 1, 2, 3]


def test_another_request_after_an_answer_belongs_to_the_same_attempt(
    send: Send, clock: ManualClock, notes: Notes
) -> None:
    """As of an auth flow that fetches a token first, by a request with the same extensions."""
    other = ("connection.connect_tcp.started", {"host": "tokens.test", "port": 443})
    tell(send, clock, *CONNECT, same(b"/token"), answer(200), other, same(), answer(200))
    assert send.responded(200, {}) is send.attempt
    assert notes.count("attempt_started") == 1


def test_a_pool_that_connects_again_is_within_the_same_attempt(send: Send, clock: ManualClock, notes: Notes) -> None:
    """httpcore's own connection retries send no request, so they make no further attempt."""
    first = send.attempt
    failed = failure("connection.connect_tcp.failed", httpx.ConnectError(""))
    tell(send, clock, CONNECT[0], failed, ("connection.retry.started", {}), *CONNECT, *REQUEST, answer(200))
    assert send.responded(200, {}) is first
    assert notes.count("attempt_started") == 1


def test_a_request_after_a_write_error_is_a_hop_of_the_same_attempt(
    send: Send, clock: ManualClock, notes: Notes
) -> None:
    """A redirect that came before the request was sent whole does not make the next hop another attempt."""
    first = send.attempt
    cut = failure("http11.send_request_body.failed", type("WriteError", (Exception,), {})())
    tell(send, clock, *CONNECT, REQUEST[0], cut, answer(307), *CONNECT, *REQUEST, answer(200))
    assert send.responded(200, {}) is first
    assert notes.count("attempt_started") == 1


@pytest.mark.parametrize("failed", [answer(529), failure()], ids=["status", "exception"])
def test_an_attempt_ends_when_it_failed_and_the_next_begins_when_it_is_sent(
    send: Send, clock: ManualClock, failed: Event
) -> None:
    """The time between two requests of a transport is the backoff, and belongs to neither attempt."""
    first = send.attempt
    tell(send, clock, *CONNECT, *REQUEST, failed)
    clock.pass_(5_000)
    send.trace(*REQUEST[0])
    second = send.attempt
    assert first.duration == 50
    assert sum(first.timeline.phase_durations().values()) == first.duration
    assert second.started == first.started + 5_050
    assert second.wall == first.wall + 5_050
    assert second.retry is not None
    assert second.retry.delay == 5_000
    assert second.timeline.phase is Phase.SEND


def test_an_attempt_that_failed_by_its_status_lasts_until_its_body_is_closed(send: Send, clock: ManualClock) -> None:
    """A transport that reads an error's body before it sends again spends that time in the first attempt."""
    first = send.attempt
    tell(send, clock, *REQUEST, answer(529))
    clock.pass_(300)
    tell(send, clock, ("http11.response_closed.complete", {}))
    clock.pass_(5_000)
    send.trace(*REQUEST[0])
    assert first.duration == 340
    assert send.attempt.retry is not None
    assert send.attempt.retry.delay == 5_000


def test_a_transport_may_send_more_than_twice(send: Send, clock: ManualClock, notes: Notes) -> None:
    """Each request is an attempt with its number, and each failure is decided once, by what followed it."""
    tell(send, clock, *REQUEST, answer(529), *REQUEST, failure(), *REQUEST, answer(503))
    tell(send, clock, *REQUEST)
    send.failed(httpx.ReadError(""))
    attempts = [attempt for event, attempt in notes.told if event == "attempt_started"]
    assert [attempt.error_type for attempt in attempts if isinstance(attempt, Attempt)] == [
        *("529", "read_timeout", "503", "connection_error")
    ]
    assert [attempt.resend_count for attempt in attempts if isinstance(attempt, Attempt)] == [0, 1, 2, 3]
    assert list(notes.after.values())[:3] == [AfterFailure.RETRIED] * 3
    assert notes.count("attempt_ended") == 4
    for attempt in attempts:
        assert notes.count("attempt_ended", attempt) == notes.count("send_finished", attempt) == 1


def test_what_the_app_stops_in_the_transport_makes_no_further_attempt(send: Send, clock: ManualClock) -> None:
    """An event that tells of a cancellation is no failure after which something was sent again."""
    first = send.attempt
    tell(send, clock, *REQUEST, failure(error=asyncio.CancelledError()), *REQUEST)
    assert send.attempt is first


def test_a_connection_that_lives_on_makes_no_further_attempt(send: Send, clock: ManualClock, notes: Notes) -> None:
    """Events after the attempt has ended belong to nobody."""
    tell(send, clock, *REQUEST, answer(529))
    attempt = send.responded(529, {})
    assert attempt is not None
    attempt.end(End.READ)
    told = list(notes.told)
    tell(send, clock, *CONNECT, *REQUEST)
    assert send.attempt is attempt
    assert notes.told == told


# -- whose attempts they are -------------------------------------------------------------------------------------------


def test_a_failure_of_no_call_is_decided_once_when_the_send_has_finished(
    lone: Send, clock: ManualClock, notes: Notes
) -> None:
    """A status that fails a lone send is decided when its body ends, and not a second time."""
    attempt = lone.responded(529, {})
    assert attempt is not None
    assert notes.after == {}
    attempt.end(End.CLOSED)
    assert notes.after == {attempt: AfterFailure.CALL_FAILED}
    lone.lost()
    lone.failed(httpx.ReadError(""))
    assert notes.count("failure_decided") == 1


def test_a_body_that_fails_later_is_decided_when_it_does(lone: Send, notes: Notes) -> None:
    """A body of a lone send that breaks while the app reads it is a failure that nobody retries."""
    attempt = lone.responded(200, {})
    assert attempt is not None
    attempt.begin_body()
    attempt.fail(httpx.ReadError(""))
    assert notes.after == {attempt: AfterFailure.CALL_FAILED}


def test_of_a_lone_send_that_a_transport_retries_each_failure_is_decided_once(
    lone: Send, clock: ManualClock, notes: Notes
) -> None:
    """The failure that a transport retried is `RETRIED`, and the last one has failed the request."""
    first = lone.attempt
    tell(lone, clock, *REQUEST, answer(529), *REQUEST)
    lone.failed(httpx.ReadTimeout(""))
    assert notes.after == {first: AfterFailure.RETRIED, lone.attempt: AfterFailure.CALL_FAILED}
    assert notes.count("failure_decided") == 2


def test_a_backoff_of_a_lone_send_is_never_negative(lone: Send, clock: ManualClock, notes: Notes) -> None:
    """A clock that seems to run backwards between two threads makes a backoff of nothing, for the log too."""
    first = lone.attempt
    tell(lone, clock, *REQUEST, answer(529))
    clock.pass_(10)
    lone.trace(*failure())
    clock.pass_(-7)
    lone.trace(*REQUEST[0])
    assert lone.attempt.retry is not None
    assert (lone.attempt.retry.delay, notes.waited[first]) == (0, 0)


def test_a_lone_retry_of_the_sdk_is_counted_on_by_the_transport(runtime: Runtime, clock: ManualClock) -> None:
    """A request that says that it is the second retry, and that the transport sends again, is the third."""
    send = Send(runtime.lone_attempts(2), FACTS)
    assert send.attempt.resend_count == 2
    tell(send, clock, *REQUEST, answer(529), *REQUEST)
    assert send.attempt.resend_count == 3


def test_a_call_counts_what_its_transport_sends(call: Call, clock: ManualClock, notes: Notes) -> None:
    """A call that a transport has rescued has recovered, with every request among its attempts."""
    send = Send(call, FACTS)
    tell(send, clock, *REQUEST, answer(529), *REQUEST, answer(200))
    attempt = send.responded(200, {})
    assert attempt is not None
    attempt.end(End.READ)
    call.method_returned(None, None)
    assert (call.attempts.count, call.attempts.retries, call.ending.outcome) == (2, 1, CallOutcome.RECOVERED)


@pytest.mark.parametrize(("sdk_attempts", "outcome"), [(1, CallOutcome.FAILED), (3, CallOutcome.EXHAUSTED)])
def test_the_transports_retries_do_not_use_up_the_sdks(
    call: Call, clock: ManualClock, sdk_attempts: int, outcome: CallOutcome
) -> None:
    """Only what the SDK sent again counts against the number of its retries."""
    for _ in range(sdk_attempts):
        send = Send(call, FACTS)
        tell(send, clock, *REQUEST, answer(529), *REQUEST, answer(529), *REQUEST, answer(529))
        attempt = send.responded(529, {})
        assert attempt is not None
        attempt.end(End.READ)
    call.method_raised(ValueError())
    assert (call.attempts.count, call.ending.outcome) == (3 * sdk_attempts, outcome)


def test_the_sdks_next_send_is_no_retry_of_the_transport(call: Call, clock: ManualClock) -> None:
    """An attempt that the SDK sends after the transport has given up waited for the SDK's backoff."""
    send = Send(call, FACTS)
    tell(send, clock, *REQUEST, answer(529), *REQUEST)
    send.failed(httpx.ReadTimeout(""))
    clock.pass_(700)
    retry = Send(call, FACTS).attempt.retry
    assert retry is not None
    assert (retry.number, retry.delay, retry.source) == (2, 700, RetrySource.BACKOFF)


# -- an interrupt, a failure of the library ----------------------------------------------------------------------------


def interrupted(started: list[Attempt]) -> Callable[[Attempt], None]:
    """What raises in the middle of a recorder's `start_attempt`, as Ctrl-C may."""

    def interrupt(attempt: Attempt) -> None:
        started.append(attempt)
        raise KeyboardInterrupt

    return interrupt


def test_an_interrupt_while_an_attempt_of_a_call_starts_ends_it(call: Call, notes: Notes) -> None:
    """An attempt whose recorder was interrupted has ended, so that its call can end too."""
    started: list[Attempt] = []
    notes.on_start_attempt = interrupted(started)
    with pytest.raises(KeyboardInterrupt) as caught:
        Send(call, FACTS)
    [attempt] = started
    assert attempt.outcome is AttemptOutcome.CANCELLED
    call.method_raised(caught.value)
    assert (call.ending.outcome, call.attempts.count) == (CallOutcome.CANCELLED, 1)
    assert notes.count("call_ended") == 1


def test_an_interrupt_while_a_lone_attempt_starts_ends_it(runtime: Runtime, notes: Notes) -> None:
    """An attempt without a call whose recorder was interrupted has ended too."""
    started: list[Attempt] = []
    notes.on_start_attempt = interrupted(started)
    with pytest.raises(KeyboardInterrupt):
        Send(runtime.lone_attempts(0), FACTS)
    [attempt] = started
    assert attempt.outcome is AttemptOutcome.CANCELLED


@pytest.mark.parametrize("in_call", [True, False])
def test_of_two_recorders_that_are_interrupted_none_is_left_waiting(clock: ManualClock, in_call: bool) -> None:
    """A recorder that has started an attempt hears of its end, also if the next one is interrupted in its start."""
    first, second = Notes(), Notes(on_start_attempt=interrupted([]))
    runtime = Runtime(first, second, clock=clock)
    source = runtime.begin_call(Invocation()) if in_call else runtime.lone_attempts(0)
    with pytest.raises(KeyboardInterrupt):
        Send(source, FACTS)
    assert first.count("attempt_started") == first.count("attempt_ended") == 1


def test_an_interrupt_while_the_next_attempt_starts_leaves_the_one_before_ended(
    send: Send, clock: ManualClock, notes: Notes
) -> None:
    """An interrupt in the middle of a transport's second request reaches the app, and nothing is told twice."""
    first = send.attempt
    tell(send, clock, *REQUEST, answer(529))
    started: list[Attempt] = []
    notes.on_start_attempt = interrupted(started)
    with pytest.raises(KeyboardInterrupt) as caught:
        send.trace(*REQUEST[0])
    send.failed(caught.value)
    assert first.error_type == "529"
    assert notes.count("attempt_ended", first) == notes.count("failure_decided", first) == 1


def test_what_only_the_transport_saw_of_a_response_reaches_the_recorder(
    send: Send, clock: ManualClock, notes: Notes
) -> None:
    """The rate limits of a response that was retried, or whose body failed within the send, are recorded too."""
    limits = (b"Anthropic-Ratelimit-Requests-Limit", b"50")
    tell(send, clock, *REQUEST, answer(529, limits), *REQUEST, answer(200, limits))
    send.failed(httpx.ReadTimeout(""))
    assert notes.response_headers == [{b"anthropic-ratelimit-requests-limit": b"50"}] * 2


def test_a_send_whose_headers_are_malformed_ends_its_attempt(send: Send, clock: ManualClock) -> None:
    """Headers of a shape that another transport may have cost their facts, and not the end of the attempt."""
    tell(send, clock, *REQUEST, (answer(200)[0], {"return_value": (b"HTTP/1.1", 200, b"", [b"malformed"])}))
    send.failed(httpx.ReadTimeout(""))
    assert send.attempt.outcome is AttemptOutcome.FAILED


def test_a_failure_of_the_library_reaches_no_transport(
    send: Send, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in a trace function would break the app's request, so it is reported and held back."""

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(Timeline, "trace", broken)
    tell(send, clock, *REQUEST)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
