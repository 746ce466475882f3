"""Calls and attempts under any events in any order: the identities that hold whatever happens.

The machine does to a call what an SDK, a transport, an app and a garbage collector may do to it, also at the wrong time
and twice, also from another thread, and asks after each step whether everything still adds up.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import httpx
import httpx2
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from anthropic_otel._core.attempt import Attempt, End
from anthropic_otel._core.call import Call, Invocation
from anthropic_otel._core.semconv import API_ERROR_TYPES, AttemptOutcome, CallOutcome, NetworkCause

_ERRORS: tuple[Callable[[], BaseException], ...] = (
    lambda: httpx.ConnectTimeout(""),
    lambda: httpx2.ReadError(""),
    lambda: httpx.RemoteProtocolError("Server disconnected without sending a response."),
    lambda: OSError([], "no errno"),
    ValueError,
    asyncio.CancelledError,
    KeyboardInterrupt,
    GeneratorExit,
)
_STATUSES = st.sampled_from([200, 204, 302, 400, 429, 500, 529])
_HEADERS = st.sampled_from([{}, {b"retry-after": b"2"}, {b"x-should-retry": b"false"}, {b"request-id": b"req_1"}])
_CHUNKS = st.sampled_from([b"", b"event: ping\n\n", b"event: message_stop\n\n", b"event: error\ndata: {}\n\n"])
_EVENTS = st.sampled_from(
    [
        ("connection.connect_tcp.started", {"host": "api.anthropic.com"}),
        ("connection.connect_tcp.started", {"host": "proxy.test"}),
        ("connection.start_tls.started", {}),
        ("http11.send_request_headers.started", {}),
        ("http11.send_request_body.complete", {}),
        ("http11.receive_response_headers.complete", {"return_value": (b"HTTP/1.1", 529, b"", [(b"a", b"b")])}),
        ("http11.receive_response_headers.complete", {"return_value": (b"HTTP/1.1", 200, b"", [b"malformed"])}),
        ("http11.receive_response_headers.complete", {"return_value": "malformed"}),
    ]
)
_ERROR_TYPES = {word.value for word in NetworkCause} | set(API_ERROR_TYPES) | {"400", "429", "500", "529"}


def _in_another_thread(act: Callable[[], None]) -> None:
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


class Machine(RuleBasedStateMachine):
    """One call, attempts without a call, and everything that may happen to them."""

    parts: ClassVar[SimpleNamespace]
    open = Bundle("open")
    ended = Bundle("ended")
    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.clock: Any = self.parts.Clock()
        self.notes: Any = self.parts.Notes()
        self.attempts: list[Attempt] = []
        self.releases: list[Callable[[], None]] = []
        self.facts: dict[int, tuple[object, ...]] = {}
        self.returned = False

    @initialize(max_retries=st.none() | st.integers(0, 2), longest=st.sampled_from([1.0, float("inf")]))
    def call_begins(self, max_retries: int | None, longest: float) -> None:
        invocation = Invocation("messages.create", max_retries=max_retries, longest_retry_after=longest)
        self.call = Call(invocation, self.notes, self.clock)

    # -- what may happen -----------------------------------------------------------------------------------------------

    @rule(target=open)
    def begin_attempt(self) -> Attempt:
        return self._began(self.call.begin_attempt(self.parts.target()))

    @rule(target=open)
    def begin_attempt_without_a_call(self) -> Attempt:
        return self._began(Attempt(self.parts.target(), self.notes, self.clock))

    def _began(self, attempt: Attempt) -> Attempt:
        self.attempts.append(attempt)
        return attempt

    @rule(nanoseconds=st.integers(1, 10**9))
    def time_passes(self, nanoseconds: int) -> None:
        self.clock.pass_(nanoseconds)

    @rule(attempt=open | ended, event=_EVENTS)
    def transport_tells(self, attempt: Attempt, event: tuple[str, dict[str, Any]]) -> None:
        attempt.timeline.trace(*event)

    @rule(attempt=open | ended, status=_STATUSES, headers=_HEADERS)
    def response_comes(self, attempt: Attempt, status: int, headers: dict[bytes, bytes]) -> None:
        attempt.responded(status, headers, "1.1", None)

    @rule(attempt=open, event_stream=st.booleans(), is_message=st.booleans())
    def body_begins(self, attempt: Attempt, event_stream: bool, is_message: bool) -> None:
        attempt.read(event_stream=event_stream, is_message=is_message)

    @rule(attempt=open | ended, chunk=_CHUNKS, wait=st.integers(0, 10**6))
    def chunk_is_read(self, attempt: Attempt, chunk: bytes, wait: int) -> None:
        if attempt.reading is not None:
            attempt.reading.asked_at = attempt.reading.now()
            self.clock.pass_(wait)
            attempt.reading.arrived()
            attempt.reading.decoded(chunk)

    @rule(target=ended, attempt=consumes(open), how=st.sampled_from(End), elsewhere=st.booleans())
    def attempt_ends(self, attempt: Attempt, how: End, elsewhere: bool) -> Attempt:
        (_in_another_thread if elsewhere else _here)(lambda: attempt.end(how))
        return attempt

    @rule(target=ended, attempt=consumes(open), make=st.sampled_from(_ERRORS), elsewhere=st.booleans())
    def attempt_raises(self, attempt: Attempt, make: Callable[[], BaseException], elsewhere: bool) -> Attempt:
        (_in_another_thread if elsewhere else _here)(lambda: attempt.end(End.RAISED, make()))
        return attempt

    @rule(attempt=ended, how=st.sampled_from(End), make=st.none() | st.sampled_from(_ERRORS))
    def attempt_ends_again(self, attempt: Attempt, how: End, make: Callable[[], BaseException] | None) -> None:
        attempt.end(how, make() if make is not None else None)

    @rule(target=holds)
    def call_is_held(self) -> Any:
        # A call that is over cannot be kept from it.
        if self.call.outcome is not None:
            return multiple()
        self.releases.append(self.call.hold())
        return self.releases[-1]

    @rule(release=holds)
    def call_is_released(self, release: Callable[[], None]) -> None:
        release()

    @rule(make=st.none() | st.sampled_from(_ERRORS))
    def method_returns(self, make: Callable[[], BaseException] | None) -> None:
        if not self.returned:
            self.returned = True
            self.call.returned(make() if make is not None else None)

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
    def the_phases_add_up_to_the_duration(self) -> None:
        for attempt in self.attempts:
            if attempt.ended:
                assert sum(time or 0 for time in attempt.timeline.spent) == attempt.duration >= 0

    @invariant()
    def the_outcome_says_whether_there_is_an_error_type(self) -> None:
        for attempt in self.attempts:
            assert (attempt.error_type is not None) == (attempt.outcome is AttemptOutcome.FAILED)
            assert attempt.error_type is None or attempt.error_type in _ERROR_TYPES
            assert attempt.cause is None or attempt.cause.word.value == attempt.error_type
            assert attempt.exception_type is None or attempt.cause is not None

    @invariant()
    def a_failed_attempt_is_settled_at_most_once_and_no_other_is(self) -> None:
        for attempt in self.attempts:
            failed = attempt.outcome is AttemptOutcome.FAILED
            settled = self.notes.count("attempt_settled", attempt)
            over = attempt.call is None or self._over()
            assert settled == 1 if failed and over else settled <= failed

    @invariant()
    def what_has_ended_does_not_change(self) -> None:
        for attempt in self.attempts:
            if attempt.ended:
                facts = (
                    *(attempt.outcome, attempt.error_type, attempt.cause, attempt.status, attempt.duration),
                    *(attempt.timeline.phase, tuple(attempt.timeline.known().items())),
                )
                assert self.facts.setdefault(id(attempt), facts) == facts

    def _over(self) -> bool:
        return bool(self.notes.count("call_ended"))

    @invariant()
    def a_call_ends_once_and_last(self) -> None:
        if not hasattr(self, "call"):
            return
        assert self._over() == (self.call.outcome is not None)
        assert self.notes.count("call_ended") <= 1
        if self._over():
            assert self.returned
        elif self.returned:
            assert self.call._open, "nobody holds it and it is not over"

    @invariant()
    def the_calls_outcome_says_whether_there_is_an_error_type(self) -> None:
        if not hasattr(self, "call") or self.call.outcome is None:
            return
        wrong = self.call.outcome in (CallOutcome.FAILED, CallOutcome.EXHAUSTED)
        assert (self.call.error_type is not None) == wrong

    @invariant()
    def a_call_counts_its_attempts(self) -> None:
        if hasattr(self, "call"):
            mine = [attempt for attempt in self.attempts if attempt.call is self.call]
            assert self.call.attempts == len(mine)
            assert self.call.retries == max(len(mine) - 1, 0)
            assert self.call.active == sum(attempt.duration for attempt in mine if attempt.ended)
            assert [attempt.resend_count for attempt in mine] == list(range(len(mine)))

    @invariant()
    def a_failed_call_has_told_its_last_failure_as_fatal(self) -> None:
        for attempt in self.attempts:
            if attempt.call is None and attempt.outcome is AttemptOutcome.FAILED:
                assert self.notes.fatal[id(attempt)] is True

    def teardown(self) -> None:
        """Everything ends in the end, and then nothing is in flight any more."""
        for attempt in self.attempts:
            attempt.end(End.RAISED, httpx.ReadTimeout(""))
        if hasattr(self, "call"):
            if not self.returned:
                self.call.returned()
            for release in self.releases:
                release()
            assert self.notes.count("call_ended") == 1
            assert self.notes.count("attempt_ended") == len(self.attempts)
            self.a_failed_attempt_is_settled_at_most_once_and_no_other_is()


def _here(act: Callable[[], None]) -> None:
    act()


def test_the_machines_add_up_whatever_happens(parts: SimpleNamespace) -> None:
    """Exactly one end per attempt and per call, and every identity of the schema after every event."""
    machine = type("BoundMachine", (Machine,), {"parts": parts})
    run_state_machine_as_test(machine, settings=settings(max_examples=100, stateful_step_count=40))
