"""Calls, sends and attempts under any events in any order: the identities that hold whatever happens.

The machine does to a call what an SDK, a transport, an app and a garbage collector may do to it, also at the wrong time
and twice, also from another thread, and asks after each step whether everything still adds up.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx
import httpx2
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.ending import End
from anthropic_otel._core.held_body import HeldBody
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.recorder import AfterFailure
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._core.semconv import (
    API_ERROR_TYPES,
    FALLBACK,
    INVALID_EVENT,
    UNEXPECTED_CONTENT,
    AttemptOutcome,
    CallOutcome,
    NetworkCause,
)
from anthropic_otel._core.send import Send
from core.notes import FACTS, SSE, STOP, ManualClock, Notes

MakeError = Callable[[], BaseException]
Event = tuple[str, Mapping[str, Any]]

_ERRORS: Final[tuple[MakeError, ...]] = (
    lambda: httpx.ConnectTimeout(""),
    lambda: httpx2.ReadError(""),
    lambda: httpx.RemoteProtocolError("Server disconnected without sending a response."),
    lambda: OSError([], "no errno"),
    ValueError,
    asyncio.CancelledError,
    KeyboardInterrupt,
    GeneratorExit,
)
_STATUSES: Final = st.sampled_from([200, 204, 302, 400, 429, 500, 529])
_PAGE: Final = {b"content-type": b"text/html"}
_HEADERS: Final = st.sampled_from(
    [{}, {b"retry-after": b"2"}, {b"x-should-retry": b"false"}, {b"request-id": b"req_1"}, SSE, _PAGE]
)
_BODIES: Final = st.sampled_from([None, b"", b"{}", b"<html>", b'{"error": {"type": "overloaded_error"}}'])
_CHUNKS: Final = st.sampled_from(
    [b"", b"<", b"{", b"event: ping\n\n", STOP, b"event: message_stop\n\n", b"event: error\ndata: {}\n\n"]
)
_ANSWERED: Final = "http11.receive_response_headers.complete"
_EVENTS: Final = st.sampled_from(
    [
        ("connection.connect_tcp.started", {"host": "api.anthropic.com"}),
        ("connection.connect_tcp.started", {"host": "proxy.test"}),
        ("connection.connect_tcp.failed", {"exception": httpx.ConnectError("")}),
        ("connection.retry.started", {}),
        ("connection.start_tls.started", {}),
        ("http11.send_request_headers.started", {}),
        ("http11.send_request_body.complete", {}),
        ("http11.receive_response_headers.failed", {"exception": httpx.ReadTimeout("")}),
        ("http11.receive_response_headers.failed", {"exception": asyncio.CancelledError()}),
        (_ANSWERED, {"return_value": (b"HTTP/1.1", 529, b"", [(b"a", b"b")])}),
        (_ANSWERED, {"return_value": (b"HTTP/1.1", 307, b"", [(b"a", b"b")])}),
        (_ANSWERED, {"return_value": (b"HTTP/1.1", 200, b"", [b"malformed"])}),
        (_ANSWERED, {"return_value": (b"HTTP/1.1", 200, b"")}),
        (_ANSWERED, {"return_value": "malformed"}),
        ("http11.response_closed.complete", {}),
    ]
)
_STATUS_WORDS: Final = {"302", "307", "400", "429", "500", "529"}
_ERROR_TYPES: Final = (
    {word.value for word in NetworkCause} | set(API_ERROR_TYPES) | _STATUS_WORDS | {UNEXPECTED_CONTENT, INVALID_EVENT}
)
_GUARDED: Final = {*_STATUS_WORDS, NetworkCause.OTHER.value}
"""What an attempt that raised may fail with and is no cause: the status before it, or facts that are malformed."""
_OF_THE_CALL: Final = "the model of the call"


def _in_another_thread(act: Callable[[], None]) -> None:
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


def _here(act: Callable[[], None]) -> None:
    act()


class Machine(RuleBasedStateMachine):
    """One call, sends without a call, and everything that may happen to them."""

    sends = Bundle("sends")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.notes = Notes()
        self.runtime = Runtime(self.notes, clock=self.clock)
        self.all_sends: list[Send] = []
        self.finished: set[Send] = set()
        self.facts: dict[Attempt, tuple[object, ...]] = {}
        self.held: HeldBody | None = None
        self.method_finished = False

    @initialize(target=sends, max_retries=st.none() | st.integers(0, 2), longest=st.sampled_from([1.0, float("inf")]))
    def call_begins(self, max_retries: int | None, longest: float) -> Any:
        """Two sends are under way from the start: half of the runs would never begin one."""
        self.call: Call = self.runtime.begin_call(
            Invocation("messages.create", _OF_THE_CALL, max_retries=max_retries, max_retry_after=longest)
        )
        return multiple(self.send_of_the_call(), self.send_without_a_call(0))

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt, in the order in which they started."""
        return [who for event, who in self.notes.told if event == "attempt_started" and isinstance(who, Attempt)]

    @property
    def attempts_of_the_call(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.model == _OF_THE_CALL]

    # -- what may happen -----------------------------------------------------------------------------------------------

    @rule(target=sends, resend_count=st.none() | st.integers(0, 2))
    def send_begins(self, resend_count: int | None) -> Send:
        return self.send_of_the_call() if resend_count is None else self.send_without_a_call(resend_count)

    def send_of_the_call(self) -> Send:
        self.all_sends.append(Send(self.call, FACTS))
        return self.all_sends[-1]

    def send_without_a_call(self, resend_count: int) -> Send:
        self.all_sends.append(Send(self.runtime.lone_attempts(resend_count), FACTS))
        return self.all_sends[-1]

    @rule(nanoseconds=st.integers(1, 10**9))
    def time_passes(self, nanoseconds: int) -> None:
        self.clock.pass_(nanoseconds)

    @rule(send=sends, events=st.lists(_EVENTS, min_size=1, max_size=4))
    def transport_tells(self, send: Send, events: list[Event]) -> None:
        for event in events:
            self.clock.pass_(3)
            send.trace(*event)

    @rule(send=sends, status=_STATUSES, headers=_HEADERS, body=_BODIES)
    def send_returns(self, send: Send, status: int, headers: dict[bytes, bytes], body: bytes | None) -> None:
        assert send.responded(status, headers, "1.1", None, body) is send.attempt
        self.finished.add(send)

    @rule(send=sends, make=st.sampled_from(_ERRORS), elsewhere=st.booleans())
    def send_raises(self, send: Send, make: MakeError, elsewhere: bool) -> None:
        (_in_another_thread if elsewhere else _here)(lambda: send.failed(make()))
        self.finished.add(send)

    @rule(send=sends)
    def request_is_collected(self, send: Send) -> None:
        send.lost()
        self.finished.add(send)

    @rule(send=sends)
    def body_begins(self, send: Send) -> None:
        if not send.attempt.ended:
            send.attempt.begin_body()

    @rule(send=sends, chunk=_CHUNKS, wait=st.integers(0, 10**6))
    def chunk_is_read(self, send: Send, chunk: bytes, wait: int) -> None:
        reading = send.attempt.reading
        if reading is not None:
            reading.asked_at = reading.clock_now()
            self.clock.pass_(wait)
            reading.on_chunk(chunk)

    @rule(send=sends, how=st.sampled_from(End), elsewhere=st.booleans())
    def body_ends(self, send: Send, how: End, elsewhere: bool) -> None:
        (_in_another_thread if elsewhere else _here)(lambda: send.attempt.end(how))

    @rule(send=sends, make=st.sampled_from(_ERRORS), elsewhere=st.booleans())
    def body_raises(self, send: Send, make: MakeError, elsewhere: bool) -> None:
        (_in_another_thread if elsewhere else _here)(lambda: send.attempt.fail(make()))

    @rule(number=st.integers(0, 50), how=st.sampled_from(End) | st.sampled_from(_ERRORS))
    def any_attempt_ends(self, number: int, how: End | MakeError) -> None:
        attempt = self.attempts[number % len(self.attempts)]
        attempt.end(how) if isinstance(how, End) else attempt.fail(how())

    @precondition(lambda self: not self.method_finished)
    @rule(number=st.none() | st.integers(0, 50))
    def method_returns(self, number: int | None) -> None:
        """It gives the app nothing that is open, or the body of one of its attempts."""
        mine = self.attempts_of_the_call
        self.method_finished = True
        self.call.method_returned("result", mine[number % len(mine)] if number is not None else None)

    @precondition(lambda self: not self.method_finished)
    @rule()
    def method_returns_a_body_that_no_attempt_has(self) -> None:
        self.method_finished = True
        self.held = self.call.hold_body()
        self.call.method_returned("result", self.held)

    @precondition(lambda self: not self.method_finished)
    @rule(make=st.sampled_from(_ERRORS))
    def method_raises(self, make: MakeError) -> None:
        self.method_finished = True
        self.call.method_raised(make())

    @precondition(lambda self: self.held is not None)
    @rule(
        how=st.sampled_from([AttemptOutcome.COMPLETED, AttemptOutcome.ABANDONED]) | st.sampled_from(_ERRORS),
        elsewhere=st.booleans(),
    )
    def held_body_ends(self, how: AttemptOutcome | MakeError, elsewhere: bool) -> None:
        body = self.held
        assert body is not None
        act = (lambda: body.end(how)) if isinstance(how, AttemptOutcome) else (lambda: body.fail(how()))
        (_in_another_thread if elsewhere else _here)(act)

    # -- what holds ----------------------------------------------------------------------------------------------------

    @invariant()
    def started_is_ended_and_in_flight(self) -> None:
        in_flight = [attempt for attempt in self.attempts if not attempt.ended]
        assert self.notes.count("attempt_ended") + len(in_flight) == len(self.attempts)

    @invariant()
    def each_attempt_ends_once(self) -> None:
        for attempt in self.attempts:
            assert self.notes.count("attempt_ended", attempt) == attempt.ended

    @invariant()
    def of_each_send_only_the_last_attempt_is_under_way(self) -> None:
        assert sum(not attempt.ended for attempt in self.attempts) == sum(
            not send.attempt.ended for send in self.all_sends
        )

    @invariant()
    def the_phases_add_up_to_the_duration(self) -> None:
        for attempt in self.attempts:
            if attempt.ended:
                assert sum(time or 0 for time in attempt.timeline.phase_ns) == attempt.duration >= 0

    @invariant()
    def no_backoff_is_negative(self) -> None:
        for attempt in self.attempts:
            assert attempt.retry is None or attempt.retry.delay is None or attempt.retry.delay >= 0

    @invariant()
    def the_outcome_says_whether_there_is_an_error_type(self) -> None:
        for attempt in self.attempts:
            assert (attempt.error_type is not None) == (attempt.outcome is AttemptOutcome.FAILED)
            assert attempt.error_type is None or attempt.error_type in _ERROR_TYPES
            assert attempt.cause is None or attempt.cause.word.value == attempt.error_type
            assert attempt.exception_type is None or attempt.cause is not None or attempt.error_type in _GUARDED
            assert attempt.retry_stop is None or attempt.outcome is AttemptOutcome.FAILED

    @invariant()
    def a_failure_is_decided_at_most_once_and_nothing_else_is(self) -> None:
        for attempt in self.attempts:
            failed = attempt.outcome is AttemptOutcome.FAILED
            decided = self.notes.count("failure_decided", attempt)
            assert decided == 1 if failed and self._nothing_follows(attempt) else decided <= failed

    def _nothing_follows(self, attempt: Attempt) -> bool:
        """Whether it is known what followed an attempt: its call has ended, or its send without a call has finished."""
        if attempt.model == _OF_THE_CALL:
            return self._call_ended()
        return attempt not in [send.attempt for send in self.all_sends if send not in self.finished]

    @invariant()
    def what_has_ended_does_not_change(self) -> None:
        for attempt in self.attempts:
            if attempt.ended:
                facts = (
                    *(attempt.outcome, attempt.error_type, attempt.cause, attempt.status, attempt.duration),
                    *(attempt.response, attempt.response is not None and attempt.response.is_unexpected),
                    *(attempt.api_error, attempt.retry_stop),
                    *(attempt.timeline.phase, tuple(attempt.timeline.phase_durations().items())),
                )
                assert self.facts.setdefault(attempt, facts) == facts

    def _call_ended(self) -> bool:
        return bool(self.notes.count("call_ended"))

    @invariant()
    def a_call_ends_once_and_last(self) -> None:
        if not hasattr(self, "call"):
            return
        assert self._call_ended() == (self.call.ending.outcome is not None)
        assert self.notes.count("call_ended") <= 1
        assert self.notes.count("method_finished") == self.method_finished
        if self._call_ended():
            assert self.method_finished
        elif self.method_finished:
            held = self.held is not None and self.held.outcome is None
            unended = [attempt for attempt in self.attempts_of_the_call if not attempt.ended]
            assert held or unended, "nothing holds it open and it has not ended"

    @invariant()
    def the_calls_outcome_says_whether_there_is_an_error_type(self) -> None:
        if not hasattr(self, "call") or self.call.ending.outcome is None:
            return
        wrong = self.call.ending.outcome in (CallOutcome.FAILED, CallOutcome.EXHAUSTED)
        assert wrong or (self.call.ending.cause, self.call.ending.api_error, self.call.ending.retry_stop) == (
            None,
            None,
            None,
        )
        assert (self.call.ending.error_type is not None) == wrong

    @invariant()
    def a_call_counts_its_attempts(self) -> None:
        if hasattr(self, "call"):
            mine = self.attempts_of_the_call
            assert self.call.attempts.count == len(mine)
            followed = [attempt for attempt in mine if attempt.retry is not None and attempt.retry.reason != FALLBACK]
            assert self.call.attempts.retries == len(followed) <= max(len(mine) - 1, 0)
            assert [attempt.resend_count for attempt in mine] == list(range(len(mine)))

    @invariant()
    def the_last_attempt_without_a_call_has_failed_for_good(self) -> None:
        last = {send.attempt for send in self.all_sends}
        for attempt, after in self.notes.after.items():
            if attempt.model is None and attempt in last:
                assert after is AfterFailure.CALL_FAILED

    def teardown(self) -> None:
        """Everything ends in the end, and then nothing is in flight any more."""
        for send in self.all_sends:
            send.failed(httpx.ReadTimeout(""))
            self.finished.add(send)
        if hasattr(self, "call"):
            if not self.method_finished:
                self.call.method_returned(None, None)
            if self.held is not None:
                self.held.end(AttemptOutcome.COMPLETED)
            assert self.notes.count("call_ended") == 1
            assert self.notes.count("attempt_ended") == len(self.attempts)
            self.a_failure_is_decided_at_most_once_and_nothing_else_is()
            assert set(self.notes.after) == {
                attempt for attempt in self.attempts if attempt.outcome is AttemptOutcome.FAILED
            }


def test_the_machines_add_up_whatever_happens() -> None:
    """Each attempt and each call ends exactly once, and every identity of the schema holds after every event."""
    run_state_machine_as_test(Machine, settings=settings(max_examples=100, stateful_step_count=40))
