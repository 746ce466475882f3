"""Every fault of the catalogue: the same program, plain and instrumented, sees the same and sends the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from anthropic_otel.simulator import FAULTS, Endpoint, Fault, Simulator
from reliability import programs
from reliability.programs import Run, see
from support import identities
from support.apps import SdkApp, quietly
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack
from support.telemetry import Telemetry
from support.waiting import collect_garbage


def _cases() -> Iterator[Any]:
    """Every fault on every stack, whole and as a stream. Every sixth fault is quick, on one: they take turns."""
    for number, fault in enumerate(FAULTS.values()):
        ways = [
            (stack, stream)
            for stream in (False, True)
            for stack in SDK_STACKS
            if stack.kind in fault.applies_to and fault.stream in (None, stream)
        ]
        for turn, (stack, stream) in enumerate(ways):
            name = f"{fault.name}-{stack.name}-{'stream' if stream else 'whole'}"
            marks = () if number % 6 == 0 and turn == number // 6 % len(ways) else (pytest.mark.slow,)
            yield pytest.param(fault, stack, stream, id=name, marks=marks)


def run(fault: Fault, stack: Stack, stream: bool, endpoint: Endpoint, sim: Simulator) -> Run:
    """What an app sees that meets the fault, with one retry; and, of a stream, that then drops one unread."""
    before = len(sim.requests)
    with Driver(asynchronous=stack.asynchronous) as driver:
        app = SdkApp(stack, endpoint, driver, max_retries=1)
        try:
            app.occupy(fault.needs.busy_connections)
            content = "x" * max(fault.needs.request_bytes, 8)
            seen = [see(lambda: app.meet(content, stream=stream), _parts)]
            if stream:
                seen.append(see(lambda: type(app.create(content, stream=True))))
        finally:
            quietly(app)
    # Whether aiohttp reuses a connection depends on who is first, the end of the body or its closing.
    sent = programs.sent(sim.requests[before:], connections=not stack.aiohttp)
    return Run(tuple(seen), sent)


def _parts(result: Any) -> list[Any]:
    return result if isinstance(result, list) else [result]


@pytest.mark.usefixtures("waits")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("fault", "stack", "stream"), tuple(_cases()))
def test_the_app_sees_and_sends_the_same(
    fault: Fault, stack: Stack, stream: bool, sim: Simulator, recorded: Telemetry
) -> None:
    """Results, exceptions, their causes and tracebacks, and the bytes of every request are as they were before."""
    endpoint = sim.endpoint(fault)
    plain = run(fault, stack, stream, endpoint, sim)
    recorded.instrument()
    instrumented = run(fault, stack, stream, endpoint, sim)
    assert instrumented.seen == plain.seen
    assert instrumented.sent == plain.sent
    collect_garbage()  # the stream that the app dropped unread is part of a cycle of the SDK's
    identities.check(recorded)
    assert recorded.attempts
