"""What the tests of the core share: a clock that a test turns by hand, and an observer that notes what it is told.

No SDK, no socket, no OpenTelemetry here: the core is a set of pure machines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from anthropic_otel._core import guard
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call, Invocation
from anthropic_otel._core.target import Target, target_of

# The same examples on every machine and in every run, so that a failure is a failure of the code and of nothing else.
settings.register_profile(
    "core", derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck), max_examples=200
)
settings.load_profile("core")


class ManualClock:
    """A clock that stands still until a test lets time pass."""

    def __init__(self, wall: int = 1_700_000_000_000_000_000) -> None:
        self.time = 1_000
        self._wall = wall - self.time

    def pass_(self, nanoseconds: int) -> None:
        self.time += nanoseconds

    def now(self) -> int:
        return self.time

    def mark(self) -> int:
        return self.time

    def wall(self) -> int:
        return self._wall + self.time


@dataclass
class Notes:
    """An observer that writes down what it is told, in order, and how often of whom."""

    told: list[tuple[str, Any]] = field(default_factory=list)
    fatal: dict[int, bool] = field(default_factory=dict)
    watching: bool = True

    def watches(self) -> bool:
        return self.watching

    def call_started(self, call: Call) -> None:
        self.told.append(("call_started", call))

    def call_returned(self, call: Call) -> None:
        self.told.append(("call_returned", call))

    def call_ended(self, call: Call) -> None:
        self.told.append(("call_ended", call))

    def attempt_started(self, attempt: Attempt) -> Mapping[str, str]:
        self.told.append(("attempt_started", attempt))
        return {}

    def attempt_sent(self, attempt: Attempt) -> None:
        self.told.append(("attempt_sent", attempt))

    def limits_told(self, attempt: Attempt, headers: Mapping[bytes, bytes]) -> None:
        self.told.append(("limits_told", attempt))

    def attempt_ended(self, attempt: Attempt) -> None:
        self.told.append(("attempt_ended", attempt))

    def attempt_settled(self, attempt: Attempt, *, fatal: bool) -> None:
        self.told.append(("attempt_settled", attempt))
        self.fatal[id(attempt)] = fatal

    def count(self, event: str, of: Any = None) -> int:
        """How often `event` was told, of one object or of all."""
        return sum(name == event and (of is None or who is of) for name, who in self.told)

    def names(self) -> Counter[str]:
        return Counter(name for name, _ in self.told)


def messages_target() -> Target:
    return target_of("POST", "https", "api.anthropic.com", None, "/v1/messages")


@pytest.fixture(name="parts", scope="session")
def _parts() -> SimpleNamespace:
    """The helpers' classes, for a test that makes many of them."""
    return SimpleNamespace(Clock=ManualClock, Notes=Notes, target=messages_target)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def attempt(clock: ManualClock, notes: Notes) -> Attempt:
    """An attempt of no call, about to be sent."""
    return Attempt(messages_target(), notes, clock)


@pytest.fixture
def call(clock: ManualClock, notes: Notes) -> Call:
    """A call of `messages.create` with two retries, about to run."""
    invocation = Invocation("messages.create", "claude-opus-4-5", address="api.anthropic.com", port=443, max_retries=2)
    return Call(invocation, notes, clock)


@pytest.fixture(autouse=True)
def _no_kind_seen() -> Iterator[None]:
    """Each test meets a guard that has reported nothing yet."""
    before = set(guard._seen)
    guard._seen.clear()
    yield
    guard._seen.clear()
    guard._seen.update(before)
