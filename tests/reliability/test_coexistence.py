"""With other instrumentations: one attempt span and one metric point per attempt, whoever was first and goes first."""

from __future__ import annotations

import importlib.util
import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from reliability import environments
from reliability.coexistence import peers

PROGRAM = Path(__file__).parent / "coexistence" / "program.py"
HTTPX = importlib.util.find_spec("opentelemetry.instrumentation.httpx") is not None
QUICK = {("httpx2", "before", "ours", "plain"), ("httpx2", "after", "theirs", "traced")}
CASES = tuple(product(peers.PEERS, peers.BOTH, ("ours", "theirs"), ("traced", "plain")))


def python_for(peer: str) -> Path:
    """The environment that has the peer. The instrumentors of HTTP clients are installed here."""
    if peer in ("httpx", "httpx2"):
        return Path(sys.executable)
    return environments.environment(peer, (*environments.BASE, *peers.PEERS[peer].requirements))


def run(peer: str, order: str, undone: str, tracing: str) -> dict[str, Any]:
    """The figures of one run of the program."""
    output = environments.run(python_for(peer), PROGRAM, peer, order, undone, tracing)
    figures: dict[str, Any] = json.loads(output.splitlines()[-1])
    return figures


@pytest.mark.skipif(not HTTPX, reason="opentelemetry-instrumentation-httpx is not installed")
@pytest.mark.parametrize(
    ("peer", "order", "undone", "tracing"),
    [pytest.param(*case, marks=[] if case in QUICK else [pytest.mark.slow]) for case in CASES],
)
def test_every_attempt_is_recorded_once(peer: str, order: str, undone: str, tracing: str) -> None:
    """Retried calls and streams, sync and async; after both are undone, in either order, nothing is recorded."""
    assert run(peer, order, undone, tracing)["attempts"] == 6


def program(name: str, *requirements: str) -> dict[str, Any]:
    """What a program of its own prints as JSON in its last line, in an environment with those packages."""
    python = environments.environment(name, (*environments.BASE, *requirements))
    output = environments.run(python, PROGRAM.parent / f"{name}.py")
    printed: dict[str, Any] = json.loads(output.splitlines()[-1])
    return printed


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_metrics_survive_a_second_configuration_of_logfire() -> None:
    """An app that configures Logfire again has every metric in its new reader, whichever of its clients is used."""
    told = program("logfire_twice", *peers.PEERS["logfire"].requirements)
    assert "anthropic.client.attempt.duration" in told["first"]
    assert told["second"] == told["first"]
    assert told["started"] == 4


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_attached_is_gone_where_ddtrace_is_the_api() -> None:
    """After a call, and while a stream is read, the app's own span is current."""
    told = program("ddtrace_api", "ddtrace")
    assert told["own"] == {"after_call": True, "within_stream": True, "after_stream": True}
    assert told["outside"] == 0
