"""What the library relies on in the OpenTelemetry SDK, beyond what its API promises."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader


@pytest.mark.parametrize("histogram_first", [True, False])
def test_what_a_callback_records_is_in_the_collection_that_called_it(histogram_first: bool) -> None:
    """For every reader: so measurements may wait until somebody collects."""
    readers = [InMemoryMetricReader(), InMemoryMetricReader()]
    provider = MeterProvider(readers, shutdown_on_exit=False)
    meter = provider.get_meter("test")

    def record(_: CallbackOptions) -> Iterable[Observation]:
        duration.record(1.0)
        return []

    if histogram_first:
        duration = meter.create_histogram("duration")
    meter.create_observable_counter("started", [record])
    if not histogram_first:
        duration = meter.create_histogram("duration")
    assert [_count(reader) for reader in readers] == [1, 2]


def _count(reader: InMemoryMetricReader) -> int:
    data = reader.get_metrics_data()
    assert data is not None
    points = [
        point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "duration"
        for point in metric.data.data_points
    ]
    return sum(point.count for point in points)  # type: ignore[union-attr]
