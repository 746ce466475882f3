"""Measurements that wait: none is lost, none is counted twice, and none keeps alive what it was made of."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any, cast

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from anthropic_otel._core import semconv
from anthropic_otel._otel.measurements import MOST, PATIENCE, Measurements
from anthropic_otel._otel.recorder import OpenTelemetryRecorder, Settings
from core.notes import ManualClock
from otel.scene import Scene
from support.telemetry import Telemetry


class Recorded(list[Any]):
    """Stands for a histogram: keeps the facts and the span of every measurement."""

    def record(self, fact: Any, context: Context) -> None:
        self.append((fact, trace.get_current_span(context).get_span_context().span_id))


def tracer(**options: Any) -> trace.Tracer:
    return TracerProvider(shutdown_on_exit=False, **options).get_tracer("test")


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def measurements() -> Measurements:
    """That have recorded just now."""
    made = Measurements()
    made.add(lambda _: None, (), None, 0)
    return made


def test_after_a_pause_a_measurement_is_recorded_at_once(measurements: Measurements, recorded: Recorded) -> None:
    """With those that have waited for it: a quiet service has the time of its exemplars right."""
    measurements.add(recorded.record, (1,), None, None)
    measurements.add(recorded.record, (2,), None, PATIENCE - 1)
    assert recorded == []
    measurements.add(recorded.record, (3,), None, PATIENCE)
    assert [fact for fact, _ in recorded] == [1, 2, 3]


def test_in_a_busy_service_they_are_recorded_some_at_a_time(measurements: Measurements, recorded: Recorded) -> None:
    """No more than `MOST` wait, so that memory is bounded and no call pays for many others."""
    for number in range(3 * MOST):
        measurements.add(recorded.record, (number,), None, 1)
        assert len(recorded) == (number + 1) // MOST * MOST


def test_none_is_recorded_where_another_is_about_to_follow(measurements: Measurements, recorded: Recorded) -> None:
    """Those of one call are recorded together, however many there are."""
    for number in range(2 * MOST):
        measurements.add(recorded.record, (number,), None, None)
    assert recorded == []
    measurements.record()
    assert len(recorded) == 2 * MOST


def test_one_that_fails_does_not_cost_the_others(
    measurements: Measurements, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """And is reported once."""

    def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    with caplog.at_level(logging.WARNING, "anthropic_otel"):
        for record in (recorded.record, broken, broken, recorded.record):
            measurements.add(record, (1,), None, None)
        measurements.record()
    assert len(recorded) == 2
    assert [each.args[0] for each in caplog.records if isinstance(each.args, tuple)] == ["Measurements.record"]


def test_the_exemplar_of_a_sampled_span_is_that_span(measurements: Measurements, recorded: Recorded) -> None:
    """And of one that is dropped there is none: it would point nowhere."""
    sampled, other = tracer().start_span("sampled"), tracer().start_span("of another call")
    dropped = tracer(sampler=ALWAYS_OFF).start_span("dropped")
    for span in (sampled, dropped):
        measurements.add(recorded.record, (1,), span.get_span_context(), None)
    measurements.add(recorded.record, (1,), None, None)
    # What is current when they are recorded is somebody else's.
    with trace.use_span(other):
        measurements.record()
    assert [span for _, span in recorded] == [sampled.get_span_context().span_id, 0, 0]


def test_a_tracer_that_fails_costs_the_exemplar_only(measurements: Measurements, recorded: Recorded) -> None:
    """Whatever a tracer takes for ids."""

    for number, ids in enumerate((cast("Any", "nonsense"), None)):
        measurements.add(recorded.record, (number,), ids, None)
    measurements.record()
    assert recorded == [(0, 0), (1, 0)]


def test_none_is_lost_or_recorded_twice_between_threads(measurements: Measurements, recorded: Recorded) -> None:
    """Whoever adds and whoever records, at any time."""
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    each, threads = 2_000, 4

    def add(first: int) -> None:
        for number in range(first, first + each):
            measurements.add(recorded.record, (number,), None, 1)
            if number % 7 == 0:
                measurements.record()

    workers = [threading.Thread(target=add, args=(number * each,)) for number in range(threads)]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(switching)
    measurements.record()
    assert sorted(fact for fact, _ in recorded) == list(range(threads * each))


# -- with the OpenTelemetry SDK ----------------------------------------------------------------------------------------


def busy(scene: Scene, calls: int) -> None:
    """So many calls within no time at all."""
    for _ in range(calls):
        call = scene.call()
        scene.answer(scene.attempt(call), seconds=0)
        call.method_returned(None, None)


def test_whoever_collects_finds_all_that_has_ended(scene: Scene, telemetry: Telemetry) -> None:
    """After each call, whether its measurements have waited or not."""
    for number in range(1, 2 * MOST):
        busy(scene, 1)
        counts = [
            telemetry.points(metric)[0].count
            for metric in (semconv.ATTEMPT_DURATION, semconv.CALL_DURATION, semconv.CALL_RETRIES)
        ]
        assert counts == [number] * 3


def test_every_reader_finds_all_of_them(clock: ManualClock) -> None:
    """Also the one that collects second."""
    readers = [InMemoryMetricReader(), InMemoryMetricReader()]
    provider = MeterProvider(readers, shutdown_on_exit=False)
    busy(Scene(OpenTelemetryRecorder(Settings(meter_provider=provider)), clock), 3)
    for reader in readers:
        data: Any = reader.get_metrics_data()
        assert data is not None
        found = {each.name: each for each in data.resource_metrics[0].scope_metrics[0].metrics}
        assert [point.count for point in found[semconv.CALL_DURATION.name].data.data_points] == [3]


def test_a_provider_that_shuts_down_exports_all_of_them(clock: ManualClock, exporter: Any) -> None:
    """The last collection is that of the shutdown."""
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    busy(Scene(OpenTelemetryRecorder(Settings(meter_provider=provider)), clock), 3)
    provider.shutdown()
    assert exporter.counts[semconv.CALL_DURATION.name] == exporter.counts[semconv.ATTEMPT_DURATION.name] == 3


@pytest.fixture
def exporter() -> Any:
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult

    class Exporter(MetricExporter):
        """Keeps how many measurements each histogram had at the last export."""

        counts: dict[str, int]

        def export(self, metrics_data: Any, timeout_millis: float = 10_000, **_: Any) -> MetricExportResult:
            metrics = metrics_data.resource_metrics[0].scope_metrics[0].metrics
            self.counts = {
                each.name: sum(point.count for point in each.data.data_points)
                for each in metrics
                if hasattr(each.data.data_points[0], "count")
            }
            return MetricExportResult.SUCCESS

        def force_flush(self, timeout_millis: float = 10_000) -> bool:
            return True

        def shutdown(self, timeout_millis: float = 30_000, **_: Any) -> None:
            pass

    return Exporter()
