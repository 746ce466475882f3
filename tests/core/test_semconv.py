"""The names: written once, documented all, and unique."""

from __future__ import annotations

import re

import pytest

from anthropic_otel._core import instruments, semconv
from anthropic_otel.cli.why.schema import ATTRIBUTES

NAMES = {name: value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)}
NO_ATTRIBUTES = {"SCOPE", "OTHER", "PHASE_PREFIX", "UNEXPECTED_CONTENT", "INVALID_EVENT", "FALLBACK"}


def test_a_name_is_written_once() -> None:
    """No two constants are the same name."""
    assert len(set(NAMES.values())) == len(NAMES)


def test_every_attribute_is_documented_once() -> None:
    """Every constant is a row, and every row a constant or a phase."""
    documented = [attribute.name for attribute in ATTRIBUTES]
    expected = {value for name, value in NAMES.items() if name not in NO_ATTRIBUTES}
    assert len(set(documented)) == len(documented)
    assert set(documented) == expected | {phase.attribute for phase in semconv.Phase}


def test_every_row_says_something() -> None:
    """Type, place, time and a sentence."""
    for attribute in ATTRIBUTES:
        assert attribute.type in ("string", "int", "boolean", "double (s)"), attribute
        assert attribute.on
        assert attribute.when
        assert attribute.description.endswith((".", "…")), attribute


def test_every_metric_is_listed_once() -> None:
    """What is defined is in the list that documents and dashboards are made from."""
    assert {id(value) for value in vars(instruments).values() if isinstance(value, instruments.Metric)} == {
        id(m) for m in instruments.METRICS
    }
    assert len({metric.name for metric in instruments.METRICS}) == len(instruments.METRICS)
    assert not {metric.name for metric in instruments.METRICS} & {phase.attribute for phase in semconv.Phase}


@pytest.mark.parametrize("metric", instruments.METRICS, ids=lambda metric: metric.name)
def test_a_metric_is_well_defined(metric: instruments.Metric) -> None:
    """Documented attributes, a unit, and buckets for histograms and for nothing else."""
    assert set(metric.attributes) <= {attribute.name for attribute in ATTRIBUTES}
    assert len(set(metric.attributes)) == len(metric.attributes)
    assert (metric.instrument is instruments.Instrument.HISTOGRAM) == bool(metric.buckets)
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert metric.description.endswith(".")
    assert metric.name.startswith("gen_ai.client." if metric in instruments.USAGE else "anthropic.client.")


@pytest.mark.parametrize("metric", instruments.METRICS, ids=lambda metric: metric.name)
def test_no_metric_has_an_id(metric: instruments.Metric) -> None:
    """Only spans have what is different for every request; whose limits they are is told by the rate limits alone."""
    owner = {semconv.ORGANIZATION_ID, semconv.WORKSPACE_ID}
    assert owner & set(metric.attributes) == (owner if ".ratelimit." in metric.name else set())
    assert not {
        semconv.REQUEST_ID,
        semconv.RESPONSE_ID,
        semconv.URL_FULL,
        semconv.NETWORK_PEER_ADDRESS,
        semconv.EXCEPTION_TYPE,
    } & set(metric.attributes)


def test_the_prometheus_names() -> None:
    """By the rules of the OpenTelemetry specification; a unit in braces adds nothing."""
    assert [metric.prometheus_name for metric in instruments.METRICS] == [
        "anthropic_client_attempt_started_total",
        "anthropic_client_attempt_duration_seconds",
        "anthropic_client_attempt_time_to_first_chunk_seconds",
        "anthropic_client_stream_max_gap_seconds",
        "anthropic_client_call_duration_seconds",
        "anthropic_client_call_retries",
        "anthropic_client_retry_delay_seconds",
        "anthropic_client_ratelimit_limit",
        "anthropic_client_ratelimit_remaining",
        "anthropic_client_ratelimit_utilization_ratio",
        "gen_ai_client_inference_usage_input_tokens_total",
        "gen_ai_client_inference_usage_output_tokens_total",
        "gen_ai_client_inference_usage_cache_read_input_tokens_total",
        "gen_ai_client_inference_usage_cache_write_input_tokens_total",
        "gen_ai_client_inference_usage_reasoning_output_tokens_total",
    ]


@pytest.mark.parametrize(
    "values",
    [
        *(semconv.Phase, semconv.AttemptOutcome, semconv.CallOutcome),
        *(semconv.RetrySource, semconv.RetryStop, semconv.NetworkCause),
    ],
)
def test_the_words_of_a_closed_list_are_lowercase(values: type[semconv.Phase]) -> None:
    """With underscores; `_OTHER` is the one that the conventions write large."""
    for value in values:
        assert re.fullmatch(r"[a-z][a-z_]*|_OTHER", value.value)


def test_no_word_of_the_network_is_one_of_the_api() -> None:
    """So that `error.type` alone tells which of the two failed an attempt."""
    assert not {cause.value for cause in semconv.NetworkCause} & set(semconv.API_ERROR_TYPES)


def test_the_attributes_of_the_phases() -> None:
    """One per phase, under one prefix."""
    assert [phase.attribute for phase in semconv.Phase] == [
        f"anthropic.client.phase.{name}" for name in ("auth", "pool", "connect", "tls", "send", "wait", "receive")
    ]
