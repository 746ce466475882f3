"""The page on what a fleet costs says what its program counts, and a real Prometheus has the series that it counts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle import settings

from . import fleet, instance, sent, storage

PAGE = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_has_the_tables_that_the_program_prints() -> None:
    """Line by line; its price of a sample is that of the measurement."""
    assert [line for line in fleet.tables() if line not in PAGE.splitlines()] == []
    *_, (fixed, _) = instance.exports(0, 1)
    sample = fleet.MEASURED[storage.CLASSIC].disk / fleet.totals(fleet.counted(fixed))[storage.CLASSIC]
    assert f"which is {sample:.1f} here" in PAGE


def test_a_process_has_the_same_series_from_its_first_minute_on() -> None:
    """So one is like another, and a fleet has as many times more as it has processes."""
    counts = {
        fleet.totals(fleet.counted(fixed))[storage.CLASSIC]
        for number in (0, 1)
        for fixed, _ in instance.exports(number, 5)
    }
    assert len(counts) == 1


@pytest.mark.slow
@pytest.mark.parametrize("way", storage.WAYS)
def test_a_prometheus_has_the_series_that_are_counted(prometheus_3_path: Path, tmp_path: Path, way: str) -> None:
    """Of two processes, to the last one."""
    *_, (fixed, _) = instance.exports(0, 2)
    with storage.storage(prometheus_3_path, tmp_path, way) as prometheus:
        storage.fill(prometheus, way, processes=2, minutes=2)
        assert prometheus.series() == 2 * fleet.totals(fleet.counted(fixed))[way]


def provided(code: str, meter: str = semconv.SCOPE) -> dict[str, Any]:
    """The metrics of a provider that is made as a page says, of a histogram of ours with its buckets and a gauge."""
    reader = InMemoryMetricReader()
    made: dict[str, Any] = {}
    exec(
        code.replace("MeterProvider(", "MeterProvider([reader], ").replace("  # and your readers", ""),
        {"reader": reader},
        made,
    )
    provider: MeterProvider = made["provider"]
    ours = provider.get_meter(meter)
    attempts = ours.create_histogram(
        instruments.ATTEMPT_DURATION.name, "s", explicit_bucket_boundaries_advisory=[1.0, 10.0]
    )
    for model in ("one", "two"):
        attempts.record(2.0, {semconv.GEN_AI_REQUEST_MODEL: model, semconv.OPERATION_NAME: "messages.create"})
    ours.create_gauge(instruments.RATELIMIT_LIMIT.name).set(1, {})
    data: Any = reader.get_metrics_data()
    provider.shutdown()
    return {
        metric.name: metric.data for r in data.resource_metrics for scope in r.scope_metrics for metric in scope.metrics
    }


def test_the_view_of_the_page_makes_the_histograms_of_this_library_exponential() -> None:
    """In spite of the buckets that it advises, and no others."""
    exponential, _ = PYTHON
    assert type(provided(exponential)[instruments.ATTEMPT_DURATION.name]).__name__ == "ExponentialHistogram"
    assert type(provided(exponential, "another")[instruments.ATTEMPT_DURATION.name]).__name__ == "Histogram"


def test_the_views_of_the_page_leave_out_attributes_and_metrics() -> None:
    """One series where there was one for each model, and no rate limits; the buckets stay."""
    _, less = PYTHON
    found = provided(less)
    (point,) = found[instruments.ATTEMPT_DURATION.name].data_points
    assert dict(point.attributes) == {semconv.OPERATION_NAME: "messages.create"}
    assert point.explicit_bounds == (1.0, 10.0)
    assert instruments.RATELIMIT_LIMIT.name not in found


def test_the_relabelling_of_the_page_drops_buckets_and_none_that_an_alert_needs() -> None:
    """As Prometheus reads it: the whole value must match, and a scrape writes whole bounds with `.0`."""
    (pattern,) = re.findall(r"regex: '(.*)'", PAGE)
    bounds = {
        bound: (f"{bound:g}", f"{bound:.1f}" if bound.is_integer() else f"{bound:g}")
        for bound in instruments.SECONDS_BUCKETS
    }
    name = instruments.CALL_DURATION.prometheus_name
    dropped = {
        bound for bound, words in bounds.items() if any(re.fullmatch(pattern, f"{name}_bucket;{w}") for w in words)
    }
    assert dropped == {
        b for b, words in bounds.items() if all(re.fullmatch(pattern, f"{name}_bucket;{w}") for w in words)
    }
    assert len(dropped) == 8
    alerts = vars(settings.load().alerts).values()
    assert not dropped & {alert.longer_than for alert in alerts if hasattr(alert, "longer_than")}
    assert not re.fullmatch(pattern, f"{name}_bucket;+Inf")


@pytest.mark.slow
def test_exponential_histograms_beside_fixed_buckets_are_counted_and_have_no_quantile(
    prometheus_3_path: Path, tmp_path: Path
) -> None:
    """Two processes of one service: each call of both is counted."""
    *_, (fixed, exponential) = instance.exports(0, 2)
    now = storage.now()
    name = instruments.CALL_DURATION.prometheus_name
    with storage.storage(prometheus_3_path, tmp_path, storage.FIXED) as prometheus:
        prometheus.take(fixed, now)
        alone = prometheus.value(f"sum(histogram_count({name}))", now)
        assert prometheus.value(f"histogram_quantile(0.5, sum({name}))", now) is not None
        for resource in exponential.resource_metrics:
            for pair in resource.resource.attributes:
                if pair.key == "service.instance.id":
                    pair.value.string_value = "another"
        prometheus.take(exponential, now)
        assert alone is not None
        assert prometheus.value(f"sum(histogram_count({name}))", now) == 2 * alone
        assert prometheus.value(f"histogram_quantile(0.5, sum({name}))", now) is None


@pytest.mark.slow
def test_an_exponential_histogram_that_gets_coarser_is_not_taken_for_a_new_one(
    prometheus_3_path: Path, tmp_path: Path
) -> None:
    """The first value has the finest buckets, and each that lies further away makes them coarser: all are counted."""
    exports = [exponential for _, exponential in instance.exports(0, 20)]
    name, now = instruments.ATTEMPT_DURATION.prometheus_name, storage.now()
    scales = set[int]()
    with storage.storage(prometheus_3_path, tmp_path, storage.NATIVE) as prometheus:
        for minute, export in enumerate(exports):
            prometheus.take(export, now - 60 * (len(exports) - 1 - minute))
            for metric in sent.metrics(export):
                if metric.name == instruments.ATTEMPT_DURATION.name:
                    scales |= {point.scale for point in metric.exponential_histogram.data_points}
                    counted = sum(point.count for point in metric.exponential_histogram.data_points)
        assert len(scales) > 5
        assert prometheus.value(f"sum(resets({name}[1h]))", now) == 0
        assert prometheus.value(f"sum(histogram_count({name}))", now) == counted
        length = 60 * (len(exports) - 1)
        first = prometheus.value(f"sum(histogram_count({name}))", now - length)
        assert first is not None
        # With a sample at each end of the window nothing is extrapolated.
        grown = prometheus.value(f"sum(histogram_count(increase({name}[{length}s1ms])))", now)
        assert grown == pytest.approx(counted - first, rel=0.001)
