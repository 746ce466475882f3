"""One app with ours and one other instrumentation: what it gets, sends and records is checked; prints the figures.

    python program.py PEER before|after ours|theirs [plain]

The peer is started before or after ours, and `ours` or `theirs` is undone first. With `plain` the SDK's own tracing is
off, so that whoever makes the call span has to.

Rule: one attempt span and one metric point per attempt, with the right parents, whoever else is there, and the tokens
that the server has sent, or none where the other one has opened the call's span; and after both are undone, nothing of
either is left.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import anthropic
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import anthropic_otel
from anthropic_otel._core import instruments
from anthropic_otel.simulator import Simulator
from reliability.coexistence.peers import PEERS
from support import usage

CALLS, REQUESTS = 4, 6
REQUEST: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}


def app(sim: Simulator, options: dict[str, Any]) -> list[Any]:
    """A retried call and a stream, sync and async, in one trace. What the app got of each."""
    sim.play("http_429_retry_after_ms", "ok", "ok", "http_429_retry_after_ms", "ok", "ok")
    options = {"base_url": sim.base_url, "api_key": "none", "max_retries": 1, **options}
    with trace.get_tracer("app").start_as_current_span("app"):
        with anthropic.Anthropic(**options) as client:
            got = [client.messages.create(**REQUEST).content[0].text]
            got.append([event.type for event in client.messages.create(stream=True, **REQUEST)])
        return [*got, *asyncio.run(_async(options))]


async def _async(options: dict[str, Any]) -> list[Any]:
    async with anthropic.AsyncAnthropic(**options) as client:
        got: list[Any] = [(await client.messages.create(**REQUEST)).content[0].text]
        got.append([event.type async for event in await client.messages.create(stream=True, **REQUEST)])
        return got


class Recorded:
    """What the process has recorded, and nobody's but ours in the metrics."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.processor = SimpleSpanProcessor(self.exporter)
        self.reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self.reader], shutdown_on_exit=False)

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    @property
    def attempts(self) -> list[ReadableSpan]:
        return [each for each in self.spans if "anthropic.client.attempt.outcome" in (each.attributes or {})]

    def count(self, name: str) -> int:
        data = self.reader.get_metrics_data()
        metrics = [m for s in data.resource_metrics[0].scope_metrics for m in s.metrics] if data else []
        points = [point for metric in metrics if metric.name == name for point in metric.data.data_points]
        return sum(getattr(point, "count", 0) or getattr(point, "value", 0) for point in points)


def check(
    recorded: Recorded, sim: Simulator, *, plain: bool, peer_makes_calls: bool, overwrites: bool
) -> dict[str, Any]:
    """What is recorded of one run of the app, as figures. Raises `AssertionError` for what must not be."""
    requests, attempts = sim.requests[-REQUESTS:], recorded.attempts
    assert len(attempts) == REQUESTS, Counter(span.name for span in recorded.spans)
    for metric, number in (("attempt.started", REQUESTS), ("attempt.duration", REQUESTS), ("call.duration", CALLS)):
        assert recorded.count(f"anthropic.client.{metric}") == number, metric
    tokens = usage.sent(() if peer_makes_calls else sim.served[-REQUESTS:])
    for counter in instruments.USAGE:
        assert recorded.count(counter.name) == tokens[counter.name], counter.name
    by_id = {span.context.span_id: span for span in recorded.spans}
    [root] = [span for span in recorded.spans if span.name == "app"]
    sent = [f"{span.context.span_id:016x}" for span in sorted(attempts, key=lambda span: span.start_time or 0)]
    on_the_wire = [request.header("traceparent").split("-")[2] for request in requests]
    assert not set(on_the_wire) & set(sent) if overwrites else on_the_wire == sent
    ours = [span for span in recorded.spans if _scope(span) == "anthropic_otel" and span not in attempts]
    assert len(ours) == (CALLS if plain and not peer_makes_calls else 0), Counter(span.name for span in recorded.spans)
    parents = Counter(_parent(span, by_id, root) for span in attempts)
    assert sorted(parents.values()) == [1, 1, 2, 2]
    http = [span for span in recorded.spans if ".httpx" in _scope(span)]
    assert not http, [span.name for span in http]
    return {"attempts": len(attempts), "spans": dict(Counter(_scope(span) for span in recorded.spans))}


def _scope(span: ReadableSpan) -> str:
    return span.instrumentation_scope.name if span.instrumentation_scope is not None else ""


def _parent(attempt: ReadableSpan, by_id: dict[int, ReadableSpan], root: ReadableSpan) -> int:
    """The id of an attempt's parent, which is a call, and below the app's own span."""
    assert attempt.parent is not None
    parent = span = by_id[attempt.parent.span_id]
    assert "anthropic.client.attempt.outcome" not in (parent.attributes or {})
    while span.parent is not None:
        span = by_id[span.parent.span_id]
    assert span is root
    span_id: int = parent.context.span_id
    return span_id


def main(name: str, order: str, first_undone: str, *, plain: bool) -> None:
    peer = PEERS[name]
    options: dict[str, Any] = {"open_telemetry": False} if plain else {}
    recorded = Recorded()
    original = _patched_functions()
    if name != "logfire":  # which sets the process's providers itself
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(recorded.processor)
        trace.set_tracer_provider(provider)
    with Simulator() as sim:
        stops: list[Callable[[], None]] = []
        if order == "before":
            stops.append(peer.start(recorded.processor))
        anthropic_otel.instrument(meter_provider=recorded.meter_provider)
        if order == "after":
            stops.append(peer.start(recorded.processor))
        got = app(sim, options)
        assert [len(each) > 4 for each in got] == [True] * CALLS, got
        makes_calls, overwrites = order in peer.makes_calls, order in peer.overwrites
        figures = check(recorded, sim, plain=plain, peer_makes_calls=makes_calls, overwrites=overwrites)
        undo = (
            [anthropic_otel.uninstrument, *stops] if first_undone == "ours" else [*stops, anthropic_otel.uninstrument]
        )
        for step in undo:
            step()
            assert [type(each) for each in app(sim, options)] == [type(each) for each in got]
        before = len(recorded.attempts)
        app(sim, options)
        assert len(recorded.attempts) == before
        if peer.can_stop:
            assert _patched_functions() == original
        print(json.dumps({"peer": name, "order": order, "undone_first": first_undone, "plain": plain, **figures}))


def _patched_functions() -> list[Any]:
    """`request` of the SDK's clients and `send` of the HTTP clients, as they are on their classes."""
    clients = (anthropic.Anthropic, anthropic.AsyncAnthropic)
    http_clients = (anthropic.DefaultHttpxClient, anthropic.DefaultAsyncHttpxClient)
    owners = [(cls, "request") for client in clients for cls in client.__mro__]
    owners += [(cls, "send") for client in http_clients for cls in client.__mro__]
    return [cls.__dict__[name] for cls, name in owners if name in cls.__dict__]


if __name__ == "__main__":
    main(*sys.argv[1:4], plain="plain" in sys.argv[4:])
