"""Cancel scopes and nurseries of trio: what ends within them, and that tasks beside each other keep apart."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from anthropic_otel._adapters.current import current_call
from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import Simulator
from support import identities
from support.apps import API_KEY, request_of
from support.telemetry import Telemetry
from support.versions import TRACES_ITSELF

trio = pytest.importorskip("trio", reason="trio is not installed")

pytestmark = [
    pytest.mark.usefixtures("waits"),
    pytest.mark.skipif(
        not hasattr(importlib.import_module("anthropic._utils._sync"), "anyio"),
        reason="this SDK starts its threads by asyncio, and does not run under trio",
    ),
    # Connections that are broken on purpose leave sockets to the garbage collector, in the libraries below.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

App = Callable[[Any], Awaitable[Any]]


def run(app: App, base_url: str, telemetry: Telemetry) -> Any:
    """Runs an app under trio, with a client; whatever it raises is raised. Nothing is current when it is over."""
    options: dict[str, Any] = {"api_key": API_KEY, "max_retries": 1}
    if TRACES_ITSELF:
        options["open_telemetry"] = {"tracer_provider": telemetry.tracer_provider}

    async def main() -> Any:
        async with anthropic.AsyncAnthropic(base_url=base_url, **options) as client:
            try:
                return await app(client)
            finally:
                assert current_call.get() is None
                assert not trace.get_current_span().get_span_context().is_valid

    telemetry.instrument()
    return trio.run(main)


async def create(client: Any) -> Any:
    return await client.messages.create(**request_of())


def told(span: Any, *names: str) -> list[Any]:
    return [(span.attributes or {}).get(name) for name in names]


def call_outcome(telemetry: Telemetry) -> str:
    [point] = telemetry.points(instruments.CALL_DURATION)
    return str(point.attributes[semconv.CALL_OUTCOME])


def test_a_call_is_cancelled_while_it_waits(sim: Simulator, recorded: Telemetry) -> None:
    """A cancel scope ends the attempt and the call, without an error; the scope gets its cancellation back."""

    async def cancel_once_asked(scope: Any) -> None:
        while not sim.requests:
            await trio.sleep(0.001)
        scope.cancel()

    async def app(client: Any) -> bool:
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_once_asked, scope)
                await create(client)
        return bool(scope.cancelled_caught)

    assert run(app, sim.endpoint("read_timeout").base_url, recorded) is True
    [attempt] = recorded.attempts
    assert told(attempt, semconv.ATTEMPT_OUTCOME, semconv.ERROR_TYPE) == ["cancelled", None]
    assert attempt.status.status_code is StatusCode.UNSET
    assert call_outcome(recorded) == "cancelled"
    identities.check(recorded, calls=1)


def test_a_call_is_cancelled_in_its_backoff(
    sim: Simulator, recorded: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt before it has failed; the call is cancelled."""
    entered = trio.Event()

    async def sleep(seconds: float) -> None:
        entered.set()
        await trio.sleep_forever()

    monkeypatch.setattr("anthropic._base_client.anyio.sleep", sleep)
    sim.play("http_529")

    async def app(client: Any) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(create, client)
            await entered.wait()
            nursery.cancel_scope.cancel()

    run(app, sim.base_url, recorded)
    [attempt] = recorded.attempts
    assert told(attempt, semconv.ERROR_TYPE, semconv.ATTEMPT_OUTCOME) == ["529", "failed"]
    assert call_outcome(recorded) == "cancelled"
    identities.check(recorded, calls=1)


def test_a_stream_is_cancelled_midway(sim: Simulator, recorded: Telemetry) -> None:
    """A cancel scope around the reading ends the attempt as cancelled; the events before it were read."""
    # After three events of the app the server is silent: no more of them can be there already.
    sim.play("stream_timeout")
    events: list[Any] = []

    async def app(client: Any) -> bool:
        with trio.CancelScope() as scope:
            async for event in await client.messages.create(stream=True, **request_of()):
                events.append(event)
                if len(events) == 3:
                    scope.cancel()
        return bool(scope.cancelled_caught)

    assert run(app, sim.base_url, recorded) is True
    assert len(events) == 3
    [attempt] = recorded.attempts
    assert told(attempt, semconv.ATTEMPT_OUTCOME, semconv.ERROR_TYPE, semconv.STREAM_COMPLETE) == [
        "cancelled",
        None,
        False,
    ]
    assert attempt.status.status_code is StatusCode.UNSET
    assert call_outcome(recorded) == "cancelled"
    identities.check(recorded, calls=1)


def test_a_stream_is_left_midway(sim: Simulator, recorded: Telemetry) -> None:
    """Closing it before its end is abandoning it."""
    sim.play("stream_timeout")

    async def app(client: Any) -> None:
        async with await client.messages.create(stream=True, **request_of()) as stream:
            await stream.__anext__()

    run(app, sim.base_url, recorded)
    [attempt] = recorded.attempts
    assert told(attempt, semconv.ATTEMPT_OUTCOME, semconv.ERROR_TYPE) == ["abandoned", None]
    assert call_outcome(recorded) == "abandoned"
    identities.check(recorded, calls=1)


def test_calls_beside_each_other_keep_apart(sim: Simulator, recorded: Telemetry) -> None:
    """Ten tasks with one client: every attempt is a child of its own task's call."""
    sim.latency(before_headers=0.02)

    async def app(client: Any) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(create, client)

    run(app, sim.base_url, recorded)
    parents = [span.parent.span_id for span in recorded.attempts if span.parent]
    assert sorted(parents) == sorted(call.context.span_id for call in recorded.calls)
    assert len(set(parents)) == 10
    identities.check(recorded, calls=10)
