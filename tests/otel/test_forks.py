"""A fork in the middle of a measurement of another thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import anthropic_otel
from anthropic_otel._core import instruments
from anthropic_otel._core.ending import End
from anthropic_otel._otel import forks, providers
from otel.scene import Scene
from support.stacks import LONG
from support.telemetry import Telemetry


@pytest.fixture(autouse=True)
def _nobody_measures() -> Iterator[None]:
    """Each test begins and ends without a measurement under way: an interrupt in another one may have left an entry."""
    forks.measuring.clear()
    yield
    forks.measuring.clear()


def test_a_fork_waits_until_the_measurement_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock is free then, in the child as well."""
    monkeypatch.setattr(forks, "_PATIENCE", LONG)
    forks.measuring[1] = None
    thread = threading.Timer(0.01, forks.measuring.clear)
    thread.start()
    forks._wait_for_measurements()
    assert not forks.measuring
    thread.join()


def test_a_fork_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever forks within a measurement, in a signal handler, would wait for itself."""
    monkeypatch.setattr(forks, "_PATIENCE", 0.01)
    forks.measuring[1] = None
    forks._wait_for_measurements()
    assert forks.measuring == {1: None}


def test_each_measurement_says_so(scene: Scene, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is under way, and also where it fails."""
    seen: list[int] = []

    def consume(measurement: Any) -> None:
        seen.append(len(forks.measuring))
        raise RuntimeError("broken")

    monkeypatch.setattr(telemetry.meter_provider._measurement_consumer, "consume_measurement", consume)
    call = scene.call(stream=True)
    scene.answer(scene.attempt(call), 529)
    attempt = scene.attempt(call)
    scene.chunk(scene.stream(attempt), b"")
    attempt.end(End.READ)
    call.method_returned(None, attempt)
    assert seen == [1] * len([metric for metric in instruments.METRICS if metric.buckets] + ["the second attempt"])
    assert not forks.measuring


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_sets_up_its_export_though_a_thread_of_its_parent_was_doing_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """That thread is not in the child, and in the parent a second one does not set up the same."""
    inside, forked = threading.Event(), threading.Event()
    set_up: list[str] = []

    def wait(export: str) -> None:
        set_up.append(export)
        inside.set()
        forked.wait()

    monkeypatch.setattr(providers, "set_up", wait)
    thread = threading.Thread(target=anthropic_otel._export, args=("otlp",))
    thread.start()
    inside.wait()
    anthropic_otel._export("otlp")
    assert set_up == ["otlp"]
    child = os.fork()
    if not child:
        ended = 1
        try:
            monkeypatch.setattr(providers, "set_up", set_up.append)
            anthropic_otel._export("otlp")
            ended = int(set_up != ["otlp", "otlp"])
        finally:
            os._exit(ended)
    forked.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
