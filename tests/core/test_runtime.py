"""Whether anything is observed at all, and by whom."""

from __future__ import annotations

import time
from typing import Any

import pytest

from anthropic_otel._core import finalizer
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call, Invocation
from anthropic_otel._core.clock import SystemClock
from anthropic_otel._core.runtime import Runtime


@pytest.fixture
def runtime(notes: Any, clock: Any) -> Runtime:
    return Runtime(notes, clock)


def test_a_call_begins(runtime: Runtime, notes: Any) -> None:
    """And the observer learns of it first."""
    assert runtime.watches()
    call = runtime.begin_call(Invocation())
    assert isinstance(call, Call)
    assert notes.told == [("call_started", call)]


def test_without_a_call_the_request_tells_the_retry(runtime: Runtime, parts: Any) -> None:
    """How long the backoff was, nobody knows."""
    first, second = runtime.begin_attempt(parts.target(), 0), runtime.begin_attempt(parts.target(), 2)
    assert isinstance(first, Attempt)
    assert (first.call, first.retry) == (None, None)
    assert second.retry is not None
    assert (second.retry.number, second.retry.delay, second.retry.reason) == (2, None, None)


def test_nobody_watches_once_it_is_switched_off(runtime: Runtime) -> None:
    """By one assignment, whoever has kept a reference to a function of ours."""
    runtime.active = False
    assert not runtime.watches()


def test_nobody_watches_where_the_observer_does_not(runtime: Runtime, notes: Any) -> None:
    """Somebody upstream suppresses instrumentation."""
    notes.watching = False
    assert not runtime.watches()


def test_each_beginning_tells_what_was_put_off(runtime: Runtime) -> None:
    """Ends that a finalizer could not tell wait for the next event, also of an app that is switched off."""
    told: list[str] = []
    finalizer.deferred.append(lambda: told.append("on"))
    runtime.watches()
    runtime.active = False
    finalizer.deferred.append(lambda: told.append("off"))
    runtime.watches()
    assert told == ["on", "off"]


def test_the_systems_clock_is_the_default(notes: Any) -> None:
    """Monotonic for durations, since the epoch for the calendar."""
    clock = Runtime(notes).clock
    assert isinstance(clock, SystemClock)
    assert clock.now() <= clock.mark() <= clock.now()
    assert abs(clock.wall() - time.time_ns()) < 60e9
