"""What the tests of the OpenTelemetry side share: an observer with exporters in memory, and a clock turned by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import context

from anthropic_otel._core import guard
from anthropic_otel._core.attempt import Attempt, End
from anthropic_otel._core.call import Call, Invocation
from anthropic_otel._core.reading import Reading
from anthropic_otel._core.target import Target, target_of
from anthropic_otel._otel.observer import OpenTelemetryObserver, Settings
from support.telemetry import Telemetry

WALL = 1_700_000_000_000_000_000


class ManualClock:
    """A clock that stands still until a test lets time pass."""

    def __init__(self) -> None:
        self.time = 0

    def pass_(self, seconds: float) -> None:
        self.time += int(seconds * 1e9)

    def now(self) -> int:
        return self.time

    def mark(self) -> int:
        return self.time

    def wall(self) -> int:
        return WALL + self.time


class Scene:
    """What happens: calls and attempts, as the adapters tell them to an observer."""

    def __init__(self, observer: OpenTelemetryObserver, clock: ManualClock) -> None:
        self.observer = observer
        self.clock = clock
        self.target: Target = target_of("POST", "https", "api.anthropic.com", None, "/v1/messages")

    def call(self, **invocation: object) -> Call:
        fields = {"operation": "messages.create", "model": "claude-opus-4-5", "max_retries": 2, **invocation}
        call = Call(Invocation(**fields), self.observer, self.clock)  # type: ignore[arg-type]
        self.observer.call_started(call)
        return call

    def attempt(self, call: Call | None = None, target: Target | None = None) -> Attempt:
        target = target or self.target
        attempt = call.begin_attempt(target) if call else Attempt(target, self.observer, self.clock)
        self.observer.attempt_started(attempt)
        return attempt

    def answer(
        self, attempt: Attempt, status: int = 200, seconds: float = 1.0, headers: dict[bytes, bytes] | None = None
    ) -> Attempt:
        """The server answers after `seconds`, and the SDK reads the body at once."""
        self.clock.pass_(seconds)
        self.observer.attempt_sent(attempt)
        attempt.responded(status, headers or {}, "1.1", ("192.0.2.1", 443))
        attempt.end(End.READ)
        return attempt

    def stream(self, attempt: Attempt, seconds: float = 1.0, *, event_stream: bool = True) -> Reading:
        """The server answers after `seconds`, and the app is about to read the body."""
        self.clock.pass_(seconds)
        self.observer.attempt_sent(attempt)
        attempt.responded(200, {b"content-type": b"text/event-stream"}, "1.1", ("192.0.2.1", 443))
        return attempt.read(event_stream=event_stream, is_message=event_stream and attempt.is_message)

    def fail(self, attempt: Attempt, error: BaseException, seconds: float = 1.0) -> Attempt:
        self.clock.pass_(seconds)
        self.observer.attempt_sent(attempt)
        attempt.end(End.RAISED, error)
        return attempt


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def observer(telemetry: Telemetry) -> OpenTelemetryObserver:
    return OpenTelemetryObserver(
        Settings(tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider)
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def scene(observer: OpenTelemetryObserver, clock: ManualClock) -> Scene:
    return Scene(observer, clock)


@pytest.fixture(name="scene_of")
def _scene_of(clock: ManualClock) -> type[Scene]:
    """For a test that has an observer of its own."""
    return Scene


@pytest.fixture(autouse=True)
def _nothing_stays_attached() -> Iterator[None]:
    """Whatever a test does, what is current after it is what was current before it."""
    before = context.get_current()
    yield
    assert context.get_current() == before


@pytest.fixture(autouse=True)
def _no_kind_seen() -> Iterator[None]:
    """Each test meets a guard that has reported nothing yet."""
    before = set(guard._seen)
    guard._seen.clear()
    yield
    guard._seen.clear()
    guard._seen.update(before)
