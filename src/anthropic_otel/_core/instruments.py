"""Defines every metric of the library: its name, unit, description, attributes and buckets.

Rule: a metric's name is written only here, as an attribute's is only in `semconv`. The counters of tokens have names of
the GenAI conventions, and all other names begin with `anthropic.client`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from anthropic_otel._core import semconv


class Instrument(str, Enum):
    """The kinds of OpenTelemetry instrument in use. Counters and gauges are observable ones only."""

    OBSERVABLE_COUNTER = "observable_counter"
    HISTOGRAM = "histogram"
    OBSERVABLE_GAUGE = "observable_gauge"


@dataclass(frozen=True)
class Metric:
    """One metric: its instrument, the arguments for that, and its attributes.

    - `unit`: as UCUM writes it; empty for none.
    - `attributes`: the names of all attributes that a measurement may have. One that does not apply is left out.
    - `buckets`: the upper bounds of a histogram in `unit`, empty for other instruments.
    """

    name: str
    instrument: Instrument
    unit: str
    description: str
    attributes: tuple[str, ...]
    buckets: tuple[float, ...] = ()

    @property
    def prometheus_name(self) -> str:
        """The metric's name in Prometheus, without the `_bucket`, `_sum` and `_count` of a histogram's series.

        By the OpenTelemetry specification ("Prometheus and OpenMetrics Compatibility") dots become underscores.
        `_seconds` is appended for the unit `s`, `_ratio` for `1`, and `_total` for a counter. No other unit in this
        module adds anything.
        """
        unit = {"s": "_seconds", "1": "_ratio"}.get(self.unit, "")
        total = "_total" if self.instrument is Instrument.OBSERVABLE_COUNTER else ""
        return self.name.replace(".", "_") + unit + total


SECONDS_BUCKETS: Final = (
    0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0,
    600.0, 1800.0,
)  # fmt: skip
"""The buckets of every duration in seconds. About half of the bounds are from 5 to 120, as most replies take that."""


def _seconds(name: str, description: str, attributes: tuple[str, ...]) -> Metric:
    """Returns the `Metric` of a duration: a histogram in seconds, with `SECONDS_BUCKETS`."""
    return Metric(name, Instrument.HISTOGRAM, "s", description, attributes, SECONDS_BUCKETS)


_TARGET: Final = (semconv.OPERATION_NAME, semconv.SERVER_ADDRESS, semconv.GEN_AI_REQUEST_MODEL)

ATTEMPT_STARTED: Final = Metric(
    "anthropic.client.attempt.started",
    Instrument.OBSERVABLE_COUNTER,
    "{attempt}",
    "HTTP attempts that the client has started to send.",
    _TARGET,
)
ATTEMPT_DURATION: Final = _seconds(
    "anthropic.client.attempt.duration",
    "Time from the send of an HTTP attempt to the end of its body.",
    (
        *_TARGET,
        semconv.HTTP_RESPONSE_STATUS_CODE,
        semconv.ATTEMPT_STATUS_CLASS,
        semconv.ERROR_TYPE,
        semconv.NETWORK_CAUSE,
        semconv.ATTEMPT_OUTCOME,
    ),
)
ATTEMPT_TIME_TO_FIRST_CHUNK: Final = _seconds(
    "anthropic.client.attempt.time_to_first_chunk",
    "Time from the send of an HTTP attempt of a message stream to the first chunk of its body, free of retries.",
    _TARGET,
)
STREAM_MAX_GAP: Final = _seconds(
    "anthropic.client.stream.max_gap",
    "The longest time that a reader of a message stream waited for its next chunk, in one HTTP attempt.",
    (*_TARGET, semconv.ATTEMPT_OUTCOME),
)
CALL_DURATION: Final = _seconds(
    "anthropic.client.call.duration",
    "Time of an SDK call with its attempts, its backoff and the reading of its body.",
    (*_TARGET, semconv.CALL_OUTCOME, semconv.ERROR_TYPE, semconv.NETWORK_CAUSE, semconv.API_ERROR_CODE),
)
CALL_RETRIES: Final = Metric(
    "anthropic.client.call.retries",
    Instrument.HISTOGRAM,
    "{retry}",
    "Retries of an SDK call that had any.",
    (*_TARGET, semconv.CALL_OUTCOME),
    (1.0, 2.0, 3.0, 4.0, 5.0, 10.0),
)
RETRY_DELAY: Final = _seconds(
    "anthropic.client.retry.delay",
    "Time between the end of a failed attempt and the start of the next one.",
    (semconv.OPERATION_NAME, semconv.SERVER_ADDRESS, semconv.RETRY_REASON, semconv.RETRY_SOURCE),
)
_RATELIMIT: Final = (
    semconv.RATELIMIT_KIND,
    semconv.GEN_AI_REQUEST_MODEL,
    semconv.ORGANIZATION_ID,
    semconv.WORKSPACE_ID,
)
RATELIMIT_LIMIT: Final = Metric(
    "anthropic.client.ratelimit.limit",
    Instrument.OBSERVABLE_GAUGE,
    "",
    "The rate limit that the API last reported, in requests or tokens per minute, by kind.",
    _RATELIMIT,
)
RATELIMIT_REMAINING: Final = Metric(
    "anthropic.client.ratelimit.remaining",
    Instrument.OBSERVABLE_GAUGE,
    "",
    "The least that the API reported to be left of a rate limit since the last collection, by kind.",
    _RATELIMIT,
)
RATELIMIT_UTILIZATION: Final = Metric(
    "anthropic.client.ratelimit.utilization",
    Instrument.OBSERVABLE_GAUGE,
    "1",
    "The share of a subscription's window that the API last reported to be used up, by kind.",
    _RATELIMIT,
)

_USAGE: Final = (
    semconv.GEN_AI_OPERATION_NAME,
    semconv.GEN_AI_PROVIDER_NAME,
    semconv.GEN_AI_TOKEN_MODALITY,
    semconv.GEN_AI_REQUEST_MODEL,
    semconv.SERVER_ADDRESS,
    semconv.SERVER_PORT,
    semconv.ATTEMPT_OUTCOME,
)


def _usage(name: str, description: str) -> Metric:
    """Returns the `Metric` of the counter of tokens `gen_ai.client.inference.usage.{name}`.

    It is that of semantic-conventions-genai 0.1.0, and has the attempt's outcome beside the conventions' attributes.
    """
    return Metric(
        f"gen_ai.client.inference.usage.{name}", Instrument.OBSERVABLE_COUNTER, "{token}", description, _USAGE
    )


USAGE_INPUT: Final = _usage("input_tokens", "Input tokens that attempts used, those of the cache among them.")
USAGE_OUTPUT: Final = _usage("output_tokens", "Output tokens that attempts used, those of reasoning among them.")
USAGE_CACHE_READ: Final = _usage("cache_read.input_tokens", "Input tokens that were read from the cache.")
USAGE_CACHE_WRITE: Final = _usage("cache_write.input_tokens", "Input tokens that were written to the cache.")
USAGE_REASONING: Final = _usage("reasoning.output_tokens", "Output tokens that were used for reasoning (thinking).")
USAGE: Final = (USAGE_INPUT, USAGE_OUTPUT, USAGE_CACHE_READ, USAGE_CACHE_WRITE, USAGE_REASONING)
"""The counters of tokens, in the order of `usage.Usage.counts`."""

METRICS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""Every metric of the library, in the order of this module, in which documents list them."""
