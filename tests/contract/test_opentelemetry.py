"""What the library relies on in the OpenTelemetry SDK, beyond what its API promises."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from anthropic_otel._otel.context import NO_EXEMPLAR


def test_a_callback_runs_in_the_thread_that_collects_for_each_reader() -> None:
    """A reader is known by its thread: no other way tells which one a gauge is observed for."""
    readers = [InMemoryMetricReader(), InMemoryMetricReader()]
    seen: list[int] = []

    def observe(_: CallbackOptions) -> Iterable[Observation]:
        seen.append(threading.get_ident())
        return [Observation(1)]

    meter = MeterProvider(readers, shutdown_on_exit=False).get_meter("test")
    meter.create_observable_gauge("left", [observe])
    threads = [threading.Thread(target=reader.collect) for reader in readers]
    idents: list[int | None] = []
    for thread in threads:
        thread.start()
        idents.append(thread.ident)
        thread.join()
    assert seen == idents


def test_an_observable_instrument_has_the_callbacks_of_its_first_creation() -> None:
    """So whoever measures into one provider must share the instruments: a second creation would observe nothing."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("test")
    called: list[str] = []

    def observing(name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            called.append(name)
            return [Observation(1)]

        return observe

    meter.create_observable_counter("started", [observing("first")])
    meter.create_observable_counter("started", [observing("second")])
    reader.collect()
    assert called == ["first"]


def test_an_empty_context_is_taken_for_the_current_one() -> None:
    """So a measurement without an exemplar needs a context that is not empty."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    with tracer.start_as_current_span("current") as span:
        assert _exemplars(Context()) == [span.get_span_context().span_id]
        assert _exemplars(NO_EXEMPLAR) == []
    assert trace.get_current_span() is trace.INVALID_SPAN


def _exemplars(context: Context) -> list[Any]:
    """The spans that the exemplars of a measurement in `context` point to."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("test")
    meter.create_histogram("duration").record(1.0, {}, context)
    data = reader.get_metrics_data()
    assert data is not None
    [point] = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    return [exemplar.span_id for exemplar in point.exemplars]
