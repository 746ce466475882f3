"""What one part of a process does to another: captures that overlap, an app that exports, one client taken off again.

Rule: what was instrumented or captured ends with it, and nothing of it stays on what the app made itself.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import anthropic
import pytest

import anthropic_otel
from anthropic_otel._core import instruments
from anthropic_otel.simulator import Simulator
from anthropic_otel.testing import capture
from support.apps import API_KEY, request_of
from support.driver import Driver
from support.stacks import STACKS, Stack, http_client
from support.telemetry import Telemetry
from support.versions import TRACES_ITSELF

_CLOCKS: Final = 1_000_000_000
"""The nanoseconds by which two clocks of one machine may differ."""


def client_of(sim: Simulator, telemetry: Telemetry, **options: Any) -> anthropic.Anthropic:
    """A client of the simulator, whose SDK traces into the telemetry."""
    if TRACES_ITSELF:
        options["open_telemetry"] = {"tracer_provider": telemetry.tracer_provider}
    return anthropic.Anthropic(base_url=sim.base_url, api_key=API_KEY, **options)


def starts(telemetry: Telemetry) -> list[int]:
    """When each attempt's exported span started, in nanoseconds since the epoch."""
    return [span.start_time or 0 for span in telemetry.attempts]


# -- captures ----------------------------------------------------------------------------------------------------------


def test_a_capture_leaves_the_times_of_an_app_that_exports(sim: Simulator, recorded: Telemetry) -> None:
    """The exported attempt has the machine's time, the captured one the capture's own."""
    recorded.instrument()
    before = time.time_ns()
    with client_of(sim, recorded) as client, capture() as captured:
        client.messages.create(**request_of())
    [start] = starts(recorded)
    assert before - _CLOCKS <= start <= time.time_ns() + _CLOCKS
    assert [attempt.duration for attempt in captured.attempts] == [1.0]


def test_captures_may_overlap(sim: Simulator, recorded: Telemetry) -> None:
    """Each has the calls of its own time, and the app's times are true when both are over, in whatever order."""
    recorded.instrument()
    with client_of(sim, recorded) as client:
        one, other = capture(), capture()
        first = one.__enter__()
        client.messages.create(**request_of())
        second = other.__enter__()
        client.messages.create(**request_of())
        one.__exit__(None, None, None)
        client.messages.create(**request_of())
        other.__exit__(None, None, None)
        recorded.clear()
        before = time.time_ns()
        client.messages.create(**request_of())
    assert (len(first.calls), len(second.calls)) == (2, 2)
    [start] = starts(recorded)
    assert before - _CLOCKS <= start <= time.time_ns() + _CLOCKS


# -- scope -------------------------------------------------------------------------------------------------------------


def test_one_client_is_taken_off_an_instrumented_process(sim: Simulator, recorded: Telemetry) -> None:
    """Its calls are not recorded any more; those of others are."""
    recorded.instrument()
    with client_of(sim, recorded) as off, client_of(sim, recorded) as on:
        off.messages.create(**request_of())
        anthropic_otel.uninstrument(off)
        recorded.clear()
        off.messages.create(**request_of())
        assert recorded.attempts == []
        on.messages.create(**request_of())
        assert len(recorded.attempts) == 1


@pytest.mark.without_sdk
@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
def test_a_request_that_is_sent_twice_is_two_attempts(stack: Stack, sim: Simulator, recorded: Telemetry) -> None:
    """An app may keep the object and send it again."""
    with Driver(asynchronous=stack.asynchronous) as driver:
        client = http_client(stack)
        recorded.instrument_http_client(client)
        request = client.build_request(
            "POST",
            f"{sim.base_url}/v1/messages",
            json=request_of(),
            headers={"x-api-key": API_KEY, "anthropic-version": "2023-06-01"},
        )
        for _ in range(2):
            assert driver(client.send(request)).status_code == 200
        driver.close(client)
    assert len(sim.requests) == len(recorded.attempts) == 2


# -- a call that is stopped --------------------------------------------------------------------------------------------


class Stopped(BaseException):
    """What ends a call from outside, as a signal's handler does."""


def test_a_call_that_is_stopped_in_its_backoff_is_not_told_as_retried(
    sim: Simulator, recorded: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No attempt follows and the call has not failed: the record is no warning, and does not say that it is retried."""

    def stop(*_: object) -> None:
        raise Stopped

    recorded.instrument()
    monkeypatch.setattr("anthropic._base_client.time.sleep", stop)
    sim.play("http_529")
    with client_of(sim, recorded, max_retries=2) as client, pytest.raises(Stopped):
        client.messages.create(**request_of())
    [record] = recorded.logs
    assert "retried" not in record.getMessage()
    assert record.levelno == logging.INFO
    [point] = recorded.points(instruments.CALL_DURATION)
    assert point.attributes["anthropic.client.call.outcome"] == "cancelled"
