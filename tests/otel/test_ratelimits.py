"""The API's rate limits as gauges."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from anthropic_otel._core import semconv
from anthropic_otel._otel.ratelimits import RateLimits

NOW = 1_700_000_000.0
RESET = b"2023-11-14T22:13:30Z"  # ten seconds later


def headers(kind: str = "requests", **parts: bytes) -> dict[bytes, bytes]:
    return {f"anthropic-ratelimit-{kind}-{part}".encode(): value for part, value in parts.items()}


class Gauges:
    """The two gauges, collected at a time that a test sets."""

    def __init__(self) -> None:
        self.now = NOW
        self.reader = InMemoryMetricReader()
        self.limits = RateLimits(MeterProvider([self.reader], shutdown_on_exit=False).get_meter("t"), lambda: self.now)

    def read(self, metric: semconv.Metric) -> dict[tuple[Any, ...], Any]:
        data: Any = self.reader.get_metrics_data()
        metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
        return {
            tuple(sorted(point.attributes.items())): point.value
            for found in metrics
            if found.name == metric.name
            for point in found.data.data_points
        }


@pytest.fixture
def gauges() -> Gauges:
    return Gauges()


def of(kind: str, model: str | None = None) -> tuple[Any, ...]:
    attributes = {semconv.RATELIMIT_KIND: kind, **({semconv.GEN_AI_REQUEST_MODEL: model} if model else {})}
    return tuple(sorted(attributes.items()))


def test_what_a_response_told_is_observed(gauges: Gauges) -> None:
    """Per kind and model: the limit, and what is left."""
    told = {
        **headers(limit=b"50", remaining=b"49", reset=RESET),
        **headers("input-tokens", limit=b"9000", remaining=b"8000"),
    }
    gauges.limits.saw("claude-opus-4-5", told)
    assert gauges.read(semconv.RATELIMIT_LIMIT) == {
        of("requests", "claude-opus-4-5"): 50,
        of("input_tokens", "claude-opus-4-5"): 9000,
    }
    assert gauges.read(semconv.RATELIMIT_REMAINING)[of("requests", "claude-opus-4-5")] == 49


def test_the_last_response_of_a_model_counts(gauges: Gauges) -> None:
    """Another model has limits of its own, and so has a call without one."""
    for model, remaining in (("a", b"9"), ("a", b"8"), ("b", b"5"), (None, b"3")):
        gauges.limits.saw(model, headers(limit=b"10", remaining=remaining))
    assert gauges.read(semconv.RATELIMIT_REMAINING) == {
        of("requests", "a"): 8,
        of("requests", "b"): 5,
        of("requests"): 3,
    }


def test_a_limit_is_not_known_after_its_reset(gauges: Gauges) -> None:
    """What is left then, only the next response can tell."""
    gauges.limits.saw("a", headers(limit=b"10", remaining=b"0", reset=RESET))
    gauges.now = NOW + 9
    assert gauges.read(semconv.RATELIMIT_REMAINING) == {of("requests", "a"): 0}
    gauges.now = NOW + 10
    assert gauges.read(semconv.RATELIMIT_REMAINING) == {}


def test_a_malformed_reset_does_not_hide_the_limit(gauges: Gauges) -> None:
    """It counts as absent."""
    gauges.limits.saw("a", headers(limit=b"10", remaining=b"0", reset=b"tomorrow"))
    assert gauges.read(semconv.RATELIMIT_REMAINING) == {of("requests", "a"): 0}


@pytest.mark.parametrize("value", [b"-1", b"many", b"nan", b"9" * 19, b"\xff"])
def test_a_malformed_number_is_not_observed(gauges: Gauges, value: bytes) -> None:
    """The other one of its kind is."""
    gauges.limits.saw("a", headers(limit=value, remaining=b"3"))
    assert gauges.read(semconv.RATELIMIT_LIMIT) == {}
    assert gauges.read(semconv.RATELIMIT_REMAINING) == {of("requests", "a"): 3}


def test_a_failure_while_collecting_is_held_back(gauges: Gauges, caplog: pytest.LogCaptureFixture) -> None:
    """An exception would reach the app's reader, and take other metrics with it."""
    gauges.limits._last["a"] = {b"anthropic-ratelimit-requests-limit": 7}  # type: ignore[dict-item]
    assert gauges.read(semconv.RATELIMIT_LIMIT) == {}
    assert [record.name for record in caplog.records] == ["anthropic_otel"]
