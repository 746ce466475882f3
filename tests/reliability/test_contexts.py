"""Streams in other hands: threads, tasks, the garbage collector, a closed loop. One end each, nothing left current."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from anthropic_otel._adapters.current import current_call
from anthropic_otel._core.semconv import ATTEMPT_OUTCOME
from reliability import interrupting
from reliability.interrupting import Transport
from support import identities
from support.apps import request_of
from support.telemetry import Telemetry
from support.waiting import collect_garbage


@pytest.fixture(autouse=True)
def nothing_is_left(recorded: Telemetry, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Every test is instrumented; after it, all has ended, nothing is current, and no token was reset elsewhere."""
    recorded.instrument()
    with caplog.at_level(logging.DEBUG, "opentelemetry"):
        yield
    collect_garbage()
    identities.check(recorded)
    assert current_call.get() is None
    assert not trace.get_current_span().get_span_context().is_valid
    assert not [record.getMessage() for record in caplog.records if "detach" in record.getMessage()]


def outcome(span: ReadableSpan) -> Any:
    return (span.attributes or {})[ATTEMPT_OUTCOME]


def stream(transport: Transport, **options: Any) -> Any:
    return interrupting.client(transport, **options).messages.create(**request_of(stream=True))


def test_a_stream_is_read_and_closed_in_other_threads(recorded: Telemetry) -> None:
    """Made in one thread, read in a second, closed in a third and a fourth at once: it is read, once."""
    events = stream(Transport(200))
    with ThreadPoolExecutor(1) as reader:
        assert len(list(reader.submit(lambda: list(events)).result())) == 6
    gate = threading.Barrier(4)

    def close() -> None:
        gate.wait()
        events.close()

    closers = [threading.Thread(target=close) for _ in range(4)]
    for closer in closers:
        closer.start()
    for closer in closers:
        closer.join()
    [attempt] = recorded.attempts
    assert outcome(attempt) == "completed"


@pytest.mark.parametrize("read", [0, 2])
def test_threads_close_a_stream_at_once(read: int, recorded: Telemetry) -> None:
    """Sixteen times eight threads close what another one has begun to read: sixteen ends."""
    for _ in range(16):
        events = stream(Transport(200))
        for _ in range(read):
            next(events)
        gate = threading.Barrier(8)

        def close(events: Any = events, gate: threading.Barrier = gate) -> None:
            gate.wait()
            events.response.close()

        closers = [threading.Thread(target=close) for _ in range(8)]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join()
    assert [outcome(attempt) for attempt in recorded.attempts] == ["abandoned"] * 16


@pytest.mark.parametrize("read", [0, 2], ids=["unread", "half-read"])
def test_the_collector_ends_a_dropped_stream(read: int, recorded: Telemetry) -> None:
    """Part of a cycle, dropped unread or half read, a stream is abandoned as soon as it is collected."""
    events = stream(Transport(200))
    for _ in range(read):
        next(events)
    holder: list[Any] = [events]
    holder.append(holder)
    del events, holder
    collect_garbage()
    assert [outcome(attempt) for attempt in recorded.attempts] == ["abandoned"]


def test_the_loop_closes_an_async_generator(recorded: Telemetry) -> None:
    """A half-read stream that the app forgot is closed by the event loop, in a task and a context of the loop's."""

    async def main() -> None:
        events = await stream(Transport(200), asynchronous=True)
        async for _ in events:
            break
        del events
        collect_garbage()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())
    collect_garbage()
    assert [outcome(attempt) for attempt in recorded.attempts] == ["abandoned"]


def test_a_loop_is_closed_with_streams_open(recorded: Telemetry) -> None:
    """The loop goes first and the streams, unread and half read, afterwards."""
    kept: list[Any] = []

    async def main() -> None:
        kept.append(await stream(Transport(200), asynchronous=True))
        kept.append(await stream(Transport(200), asynchronous=True))
        await anext(aiter(kept[1]))

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    assert len(recorded.attempts) <= 2
    kept.clear()
    collect_garbage()
    assert [outcome(attempt) for attempt in recorded.attempts] == ["abandoned"] * 2


def test_a_stream_is_read_in_another_task(recorded: Telemetry) -> None:
    """Nothing of the call is current in the task that reads, and its end is the stream's."""

    async def read(events: Any) -> list[str]:
        seen = []
        async for event in events:
            assert current_call.get() is None
            assert not trace.get_current_span().get_span_context().is_valid
            seen.append(event.type)
        return seen

    async def main() -> list[str]:
        events = await stream(Transport(200), asynchronous=True)
        return await asyncio.create_task(read(events))

    assert asyncio.run(main())[-1] == "message_stop"
    assert [outcome(attempt) for attempt in recorded.attempts] == ["completed"]


# -- who is whose parent -----------------------------------------------------------------------------------------------


def check_families(recorded: Telemetry, families: int) -> None:
    """Every span of a family is in its own trace: two attempts below one call below the app's span."""
    traces: dict[int, list[ReadableSpan]] = {}
    for span in recorded.spans:
        traces.setdefault(span.context.trace_id, []).append(span)
    assert len(traces) == families
    for spans in traces.values():
        [root] = [span for span in spans if span.parent is None]
        [call] = [span for span in spans if span.name == "anthropic.messages.create"]
        attempts = [span for span in spans if ATTEMPT_OUTCOME in (span.attributes or {})]
        assert root.name == "app"
        assert call.parent is not None
        assert call.parent.span_id == root.context.span_id
        assert [attempt.parent.span_id for attempt in attempts if attempt.parent] == [call.context.span_id] * 2


def tracing(recorded: Telemetry) -> dict[str, Any]:
    return {"open_telemetry": {"tracer_provider": recorded.tracer_provider}} if interrupting.ALONE else {}


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
def test_threads_do_not_adopt_each_others_attempts(streaming: bool, recorded: Telemetry) -> None:
    """Sixty retried calls in twelve threads of one process: sixty families."""
    tracer = recorded.tracer_provider.get_tracer("app")

    def call(_: int) -> None:
        client = interrupting.client(Transport(529, 200), **tracing(recorded))
        with tracer.start_as_current_span("app"):
            result = client.messages.create(**request_of(stream=streaming))
            assert not streaming or len(list(result)) == 6

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(call, range(60)))
    check_families(recorded, 60)


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
def test_tasks_do_not_adopt_each_others_attempts(streaming: bool, recorded: Telemetry) -> None:
    """Sixty retried calls at once in one event loop: sixty families."""
    tracer = recorded.tracer_provider.get_tracer("app")

    async def call() -> None:
        client = interrupting.client(Transport(529, 200), asynchronous=True, **tracing(recorded))
        with tracer.start_as_current_span("app"):
            result = await client.messages.create(**request_of(stream=streaming))
            assert not streaming or len([event async for event in result]) == 6

    async def main() -> None:
        await asyncio.gather(*(call() for _ in range(60)))

    asyncio.run(main())
    check_families(recorded, 60)


def test_streams_are_read_in_turns(recorded: Telemetry) -> None:
    """Two streams that one thread reads chunk by chunk in turns, and closes in the wrong order."""
    first, second = stream(Transport(200)), stream(Transport(200))
    for one, other in zip(first, second, strict=True):
        assert one.type == other.type
        assert current_call.get() is None
    second.close()
    first.close()
    assert [outcome(attempt) for attempt in recorded.attempts] == ["completed"] * 2
