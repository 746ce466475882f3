"""The fixtures of the core's tests. Their classes are in `core.notes`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.runtime import Runtime
from core.notes import FACTS, ManualClock, Notes
from support import guards

# The same examples on every machine and in every run, so that a failure is a failure of the code and of nothing else.
settings.register_profile(
    "core", derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck), max_examples=200
)
settings.load_profile("core")

CREATE = Invocation("messages.create", "claude-opus-4-5", address="api.anthropic.com", port=443, max_retries=2)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def runtime(notes: Notes, clock: ManualClock) -> Runtime:
    """An instrumentation that records into `notes`."""
    return Runtime(notes, clock=clock)


@pytest.fixture
def attempt(runtime: Runtime) -> Attempt:
    """An attempt of no call, about to be sent."""
    return runtime.lone_attempts(0).begin_attempt(FACTS)


@pytest.fixture
def call(runtime: Runtime) -> Call:
    """A call of `messages.create` with two retries, about to run."""
    return runtime.begin_call(CREATE)


@pytest.fixture
def streaming(runtime: Runtime) -> Call:
    """The same call, which asks for a stream."""
    return runtime.begin_call(replace(CREATE, stream=True))


@pytest.fixture(autouse=True)
def _no_kind_seen() -> Iterator[None]:
    with guards.fresh():
        yield
