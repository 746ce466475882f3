"""What the tests of the core share: a clock that a test turns by hand, and a recorder that writes down what it is told.

Rule: no SDK, no socket and no OpenTelemetry here. The core is a set of pure machines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.recorder import NO_HEADERS, AfterFailure, AttemptRecorder, CallRecorder
from anthropic_otel._core.request import RequestFacts
from anthropic_otel._core.target import Target, target_of
from anthropic_otel._core.usage import Usage

MESSAGES: Final[Target] = target_of("POST", "https", "api.anthropic.com", None, "/v1/messages")
FACTS: Final = RequestFacts(MESSAGES)
SSE: Final = {b"content-type": b"text/event-stream"}
STOP: Final = b'event: message_stop\ndata: {"type": "message_stop"}\n\n'
OVERLOADED: Final = b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n'


class ManualClock:
    """A clock that stands still until a test lets time pass."""

    def __init__(self, wall: int = 1_700_000_000_000_000_000) -> None:
        self.time = 1_000
        self._wall = wall - self.time

    def pass_(self, nanoseconds: int) -> None:
        self.time += nanoseconds

    def pass_seconds(self, seconds: float) -> None:
        self.time += int(seconds * 1e9)

    def now(self) -> int:
        return self.time

    def seconds(self) -> float:
        return self.time / 1e9

    def wall(self) -> int:
        return self._wall + self.time


@dataclass
class Owner:
    """What has begun an attempt, and calls a function at its end."""

    attempt_ended: Callable[[Attempt], None] = lambda attempt: None


@dataclass(eq=False)
class Notes:
    """A recorder that writes down what it and the recorders that it makes are told, in order, and of whom.

    `after` is what followed each failed attempt, and `waited` after which time. `results` is what each SDK method
    returned and raised, and `response_headers` those of each send, `None` without a response. A recorder that a test
    puts beside another shares its `told` and has a `name` of its own. `used` are the tokens of attempts.
    `on_start_attempt` runs while an attempt starts, and `headers` go with it.
    """

    name: str = ""
    told: list[tuple[str, object]] = field(default_factory=list)
    after: dict[Attempt, AfterFailure] = field(default_factory=dict)
    waited: dict[Attempt, int | None] = field(default_factory=dict)
    results: list[tuple[object, BaseException | None]] = field(default_factory=list)
    response_headers: list[RawHeaders | None] = field(default_factory=list)
    used: list[tuple[Attempt, Usage]] = field(default_factory=list)
    recording: bool = True
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)
    on_start_attempt: Callable[[Attempt], None] | None = None

    def enabled(self, sdk_tracer_provider: object = None) -> bool:
        return self.recording

    def start_call(self, call: Call) -> CallNotes:
        self.note("call_started", call)
        return CallNotes(self, call)

    def start_attempt(self, attempt: Attempt) -> AttemptNotes:
        self.note("attempt_started", attempt)
        if self.on_start_attempt is not None:
            self.on_start_attempt(attempt)
        return AttemptNotes(self, attempt)

    def note(self, event: str, of: object) -> None:
        self.told.append((self.name + event, of))

    @property
    def events(self) -> list[str]:
        """What was told, in order."""
        return [event for event, _ in self.told]

    def counts(self) -> Counter[str]:
        """How often each event was told."""
        return Counter(self.events)

    def count(self, event: str, of: object = None) -> int:
        """How often `event` was told, of one object or of all."""
        return sum(name == event and (of is None or who is of) for name, who in self.told)


class CallNotes(CallRecorder):
    """Writes down what a recorder of one call is told."""

    def __init__(self, notes: Notes, call: Call) -> None:
        self._notes = notes
        self._call = call

    def start_attempt(self, attempt: Attempt) -> AttemptNotes:
        return self._notes.start_attempt(attempt)

    def method_finished(self, result: object, error: BaseException | None) -> None:
        self._notes.note("method_finished", self._call)
        self._notes.results.append((result, error))

    def end(self, call: Call) -> None:
        assert call is self._call
        assert call.ending.outcome is not None, "a call that ends has an outcome"
        self._notes.note("call_ended", call)


class AttemptNotes(AttemptRecorder):
    """Writes down what a recorder of one attempt is told."""

    def __init__(self, notes: Notes, attempt: Attempt) -> None:
        self._notes = notes
        self._attempt = attempt

    @property
    def headers(self) -> Mapping[str, str]:
        return self._notes.headers

    def send_finished(self, response_headers: RawHeaders | None) -> None:
        self._notes.note("send_finished", self._attempt)
        self._notes.response_headers.append(response_headers)

    def end(self, attempt: Attempt) -> None:
        assert attempt is self._attempt
        assert attempt.ended, "an attempt that ends has an outcome"
        self._notes.note("attempt_ended", attempt)

    def used(self, attempt: Attempt, usage: Usage) -> None:
        assert attempt is self._attempt
        assert attempt.ended, "what was used is known at the end"
        self._notes.used.append((attempt, usage))

    def failure_decided(self, attempt: Attempt, after: AfterFailure, waited: int | None) -> None:
        assert attempt is self._attempt
        assert attempt.error_type is not None, "what is decided of is a failure"
        assert (waited is not None) == (after is AfterFailure.RETRIED), "a backoff is followed by an attempt"
        self._notes.note("failure_decided", attempt)
        self._notes.after[attempt] = after
        self._notes.waited[attempt] = waited
