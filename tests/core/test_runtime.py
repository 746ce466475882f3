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
    call = runtime.begin_call(Invocation)
    assert isinstance(call, Call)
    assert notes.told == [("call_started", call)]


def test_an_attempt_begins_in_its_call(runtime: Runtime, parts: Any) -> None:
    """The call counts it."""
    call = runtime.begin_call(Invocation)
    assert call is not None
    attempt = runtime.begin_attempt(parts.target(), call, 0)
    assert isinstance(attempt, Attempt)
    assert (attempt.call, call.attempts) == (call, 1)


def test_without_a_call_the_request_tells_the_retry(runtime: Runtime, parts: Any) -> None:
    """How long the backoff was, nobody knows."""
    first, second = runtime.begin_attempt(parts.target(), None, 0), runtime.begin_attempt(parts.target(), None, 2)
    assert first is not None
    assert second is not None
    assert first.retry is None
    assert second.retry is not None
    assert (second.retry.number, second.retry.delay, second.retry.reason) == (2, None, None)


def test_nothing_begins_once_it_is_switched_off(runtime: Runtime, parts: Any, notes: Any) -> None:
    """By one assignment, whoever has kept a reference to a function of ours."""
    runtime.active = False
    assert runtime.begin_call(Invocation) is None
    assert runtime.begin_attempt(parts.target(), None, 0) is None
    assert notes.told == []


def test_nothing_begins_where_nobody_watches(runtime: Runtime, parts: Any, notes: Any) -> None:
    """Somebody upstream suppresses instrumentation."""
    notes.watching = False
    assert runtime.begin_call(Invocation) is None
    assert runtime.begin_attempt(parts.target(), None, 0) is None


def test_each_beginning_tells_what_was_put_off(runtime: Runtime, parts: Any) -> None:
    """Ends that a finalizer could not tell wait for the next event, also of an app that is switched off."""
    told: list[str] = []
    finalizer._deferred.append(lambda: told.append("call"))
    runtime.begin_call(Invocation)
    runtime.active = False
    finalizer._deferred.append(lambda: told.append("attempt"))
    runtime.begin_attempt(parts.target(), None, 0)
    assert told == ["call", "attempt"]


def test_the_systems_clock_is_the_default(notes: Any) -> None:
    """Monotonic for durations, since the epoch for the calendar."""
    clock = Runtime(notes).clock
    assert isinstance(clock, SystemClock)
    assert clock.now() <= clock.mark() <= clock.now()
    assert abs(clock.wall() - time.time_ns()) < 60e9
