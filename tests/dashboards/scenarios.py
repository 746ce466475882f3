"""The weather that each alert is tested in, as counters over time.

The rule here: a counter's series does not exist before its first increment, as in an app; that first increment, which
`rate()` cannot see, is what the scenarios after silence are made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.instruments import Metric
from anthropic_otel.bundle.promql import label

STEP = 30
"""Seconds between two samples."""
MODEL = "claude-sonnet-4-5"


def name(metric: Metric, suffix: str = "", /, le: str = "", **values: str) -> str:
    """A series of a metric. Keyword: the constant's name in semconv, in lower case."""
    labels = {"job": "shop", "instance": "1"} | {
        label(getattr(semconv, key.upper())): value for key, value in values.items()
    }
    for attribute, value in ((semconv.GEN_AI_REQUEST_MODEL, MODEL), (semconv.OPERATION_NAME, "messages.create")):
        if attribute in metric.attributes:
            labels.setdefault(label(attribute), value)
    if le:
        labels["le"] = le
    return metric.prometheus_name + suffix + "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


@dataclass(frozen=True)
class Weather:
    """How much each series grows in a step of healthy weather, and in one of trouble. Another series does not grow.

    `few` is what happens in all at low traffic. `settle` is how many steps it takes until the trouble is forgotten;
    `seen` after how many a burst after silence fires, and before it is forgotten.
    """

    alert: str
    labels: Mapping[str, str]
    healthy: Mapping[str, float]
    trouble: Mapping[str, float]
    few: Mapping[str, float]
    trouble_steps: int = 30
    settle: int = 60
    seen: int = 12
    severity: str = "ticket"
    alive: bool = False
    """Whether the service is seen from the first step on, before anything is counted."""
    silence: int = 40
    """How many steps of silence come before a burst. A service with no past is not judged by it."""
    id: str = field(default="")

    def series(self, *phases: tuple[str, int]) -> dict[str, str]:
        """The samples of every series through some phases: (healthy | trouble | few | burst | idle, steps)."""
        names = {**self.healthy, **self.trouble, **self.few}
        made = {one: self._samples(one, phases) for one in names}
        # A histogram's buckets exist, at 0, as soon as it has counted anything.
        counted = next((values.split() for one, values in made.items() if "_count{" in one), [])
        for one in names:
            if "_bucket{" in one:
                pairs = zip(made[one].split(), counted, strict=True)
                made[one] = " ".join("0" if mine == "_" != count else mine for mine, count in pairs)
        return made

    def _samples(self, series: str, phases: tuple[tuple[str, int], ...]) -> str:
        total, found = float(self.alive and self.healthy.get(series, 0)), []
        for kind, steps in phases:
            for step in range(steps):
                if kind in ("healthy", "trouble"):
                    total += getattr(self, kind).get(series, 0)
                elif kind == "few" and step == 0:
                    total += self.few.get(series, 0)
                elif kind == "burst" and step == 0:
                    total += self.trouble.get(series, 0) * self.trouble_steps
                found.append(f"{total:g}" if total else "_")
        return " ".join(found)


_ATTEMPT = (instruments.ATTEMPT_DURATION, "_count")
_CALL = (instruments.CALL_DURATION, "_count")
_GOOD_ATTEMPT = name(*_ATTEMPT, http_response_status_code="200", attempt_outcome="completed")
_GOOD_CALL = name(*_CALL, call_outcome="succeeded")
_BAD_CALL = name(*_CALL, call_outcome="exhausted", error_type="overloaded_error")
_RECOVERED = name(*_CALL, call_outcome="recovered")
_CANCELLED = name(*_CALL, call_outcome="cancelled")
_WORK = {"work": "inference"}


def _failed(error: str, **more: str) -> str:
    return name(*_CALL, call_outcome="failed", error_type=error, **more)


def _attempts(alert: str, labels: Mapping[str, str], *bad: str, which: str = "") -> Weather:
    """A share of bad attempts: a third in trouble, 1 in 100 in good weather, all of one call's at low traffic."""
    return Weather(
        alert,
        {**_WORK, **labels},
        healthy={_GOOD_ATTEMPT: 100, bad[0]: 1, _RECOVERED: 1, _GOOD_CALL: 100},
        trouble={_GOOD_ATTEMPT: 2, **dict.fromkeys(bad, 1), _RECOVERED: 1},
        few={_GOOD_ATTEMPT: 1, bad[0]: 3, _BAD_CALL: 1},
        seen=6,
        id=which,
    )


def _refused(alert: str, reason: str, error: str, code: str = "") -> Weather:
    """Half of the calls are refused for one reason; in good weather 1 in 100, at low traffic one."""
    bad = _failed(error, **({"api_error_code": code} if code else {}))
    return Weather(
        alert,
        {"reason": reason},
        healthy={_GOOD_CALL: 100, bad: 1},
        trouble={_GOOD_CALL: 1, bad: 1},
        few={bad: 1},
        settle=80,
        seen=1,
        severity="page",
        id=reason,
    )


def _bad(error: str, status: str = "", **more: str) -> str:
    if status:
        more["http_response_status_code"] = status
    return name(*_ATTEMPT, error_type=error, attempt_outcome="failed", **more)


_TIMEOUTS = (
    ("connect", _bad("connect_timeout", network_cause="connect_timeout")),
    ("tls", _bad("tls_timeout", network_cause="tls_timeout")),
    ("write", _bad("write_timeout", network_cause="write_timeout")),
    ("read", _bad("read_timeout", network_cause="read_timeout")),
    ("pool", _bad("pool_timeout", network_cause="pool_timeout")),
    ("in_stream", _bad("read_timeout", "200", network_cause="read_timeout")),
    ("in_stream", _bad("timeout_error", "200")),
    ("server", _bad("504", "504")),
)
_GOOD_OLD = name(*_CALL, call_outcome="succeeded", gen_ai_request_model="claude-2.1")
_UPLOADED = name(*_CALL, call_outcome="succeeded", operation_name="files.upload")
_NOT_UPLOADED = _failed("api_error", operation_name="files.upload")
_OF_MODEL = {label(semconv.GEN_AI_REQUEST_MODEL): MODEL}


def _histogram(metric: Metric, le: str, **labels: str) -> tuple[str, str]:
    return name(metric, "_count", **labels), name(metric, "_bucket", le, **labels)


def _longer(le: str) -> tuple[Weather, ...]:
    """The alerts on a bucket's bound, with the bound as one of the two ways writes it."""
    thirty = le.replace("10", "30")
    gaps, steady = _histogram(instruments.STREAM_MAX_GAP, thirty)
    backoffs, short = _histogram(instruments.RETRY_DELAY, le, retry_source="retry_after", retry_reason="429")
    streams, prompt = _histogram(instruments.ATTEMPT_TIME_TO_FIRST_CHUNK, le)
    return (
        Weather(
            "AnthropicLongBackoff",
            {label(semconv.RETRY_SOURCE): "retry_after"},
            healthy={backoffs: 5, short: 5},
            trouble={backoffs: 1},
            few={backoffs: 2},
            id=f"le={le}",
        ),
        Weather(
            "AnthropicSlowFirstChunk",
            _OF_MODEL,
            healthy={streams: 100, prompt: 99},
            trouble={streams: 2, prompt: 1},
            few={streams: 2},
            id=f"le={le}",
        ),
        Weather(
            "AnthropicStreamStalls",
            _OF_MODEL,
            healthy={gaps: 100, steady: 99},
            trouble={gaps: 2, steady: 1},
            few={gaps: 2},
            id=f"le={thirty}",
        ),
    )


COUNTED = (
    Weather(
        "AnthropicErrorBudgetBurnFast",
        {},
        healthy={_GOOD_CALL: 100, _BAD_CALL: 1},
        trouble={_GOOD_CALL: 1, _BAD_CALL: 1, _CANCELLED: 50},
        few={_GOOD_CALL: 1, _BAD_CALL: 2},
        trouble_steps=80,
        settle=130,
        severity="page",
        alive=True,
        silence=130,
    ),
    Weather(
        "AnthropicErrorBudgetBurnSlow",
        {},
        healthy={_GOOD_CALL: 200, _BAD_CALL: 1},
        trouble={_GOOD_CALL: 1, _BAD_CALL: 1},
        few={_GOOD_CALL: 1, _BAD_CALL: 2},
        trouble_steps=1500,
        settle=800,
        alive=True,
        silence=1500,
    ),
    Weather(
        "AnthropicAllCallsFailing",
        {},
        healthy={_GOOD_CALL: 1, _BAD_CALL: 2},
        trouble={_BAD_CALL: 1, _CANCELLED: 3},
        few={_BAD_CALL: 1},
        trouble_steps=60,
        settle=740,
        severity="page",
    ),
    Weather(
        "AnthropicTargetFailing",
        {"kind": "model", "target": "claude-2.1"},
        healthy={_GOOD_CALL: 100, _failed("429", gen_ai_request_model="claude-2.1"): 1, _GOOD_OLD: 2},
        trouble={_GOOD_CALL: 100, _failed("429", gen_ai_request_model="claude-2.1"): 1},
        few={_GOOD_CALL: 100, _failed("429", gen_ai_request_model="claude-2.1"): 1},
        settle=60,
        seen=2,
        severity="page",
    ),
    _refused("AnthropicSpendLimit", "enforced_spend_limit_reached", "rate_limit_error", "enforced_spend_limit_reached"),
    _refused("AnthropicSpendLimit", "billing_error", "billing_error"),
    _refused("AnthropicAccessRefused", "authentication_error", "authentication_error"),
    _refused("AnthropicAccessRefused", "organization_on_hold", "invalid_request_error", "organization_on_hold"),
    Weather(
        "AnthropicModelGone",
        _OF_MODEL,
        healthy={_GOOD_CALL: 1, _failed("not_found_error"): 1},
        trouble={_failed("not_found_error"): 1},
        few={_failed("not_found_error"): 1},
        settle=80,
        seen=1,
        severity="page",
    ),
    Weather(
        "AnthropicAllCallsInvalid",
        {},
        healthy={_GOOD_CALL: 1, _failed("invalid_request_error"): 1},
        trouble={_failed("invalid_request_error"): 1},
        few={_failed("invalid_request_error"): 1},
        settle=80,
        seen=1,
        severity="page",
    ),
    Weather(
        "AnthropicOperationFailing",
        {label(semconv.OPERATION_NAME): "files.upload"},
        healthy={_UPLOADED: 1, _NOT_UPLOADED: 1},
        trouble={_NOT_UPLOADED: 1},
        few={_NOT_UPLOADED: 1},
        settle=80,
        seen=6,
    ),
    *(
        _attempts("AnthropicTimeouts", {"timeout": kind}, bad, which=f"{kind} {i}")
        for i, (kind, bad) in enumerate(_TIMEOUTS)
    ),
    _attempts("AnthropicOverloaded", _OF_MODEL, _bad("529", "529"), _bad("overloaded_error", "200")),
    _attempts("AnthropicRateLimited", _OF_MODEL, _bad("429", "429"), _bad("rate_limit_error", "200")),
    _attempts(
        "AnthropicConnectionFailures",
        {label(semconv.NETWORK_CAUSE): "connection_reset"},
        _bad("connection_reset", network_cause="connection_reset"),
    ),
    Weather(
        "AnthropicRetryAmplification",
        _WORK,
        healthy={name(instruments.CALL_DURATION, "_count"): 100, name(instruments.CALL_RETRIES, "_sum"): 10},
        trouble={name(instruments.CALL_DURATION, "_count"): 2, name(instruments.CALL_RETRIES, "_sum"): 3},
        few={name(instruments.CALL_DURATION, "_count"): 5, name(instruments.CALL_RETRIES, "_sum"): 10},
    ),
    *_longer("10"),
    *_longer("10.0"),
    Weather(
        "AnthropicTelemetryLost",
        {"job": "otelcol", "exporter": "otlp_http/traces"},
        healthy={'otelcol_exporter_sent_spans{job="otelcol",exporter="otlp_http/traces"}': 10},
        trouble={'otelcol_exporter_send_failed_spans{job="otelcol",exporter="otlp_http/traces"}': 1},
        few={},
    ),
    Weather(
        "AnthropicTelemetryRefused",
        {"job": "otelcol", "receiver": "otlp"},
        healthy={'otelcol_receiver_accepted_spans{job="otelcol",receiver="otlp"}': 10},
        trouble={'otelcol_receiver_refused_spans_total{job="otelcol",receiver="otlp"}': 1},
        few={},
        settle=80,
    ),
)
"""Every alert on something that is counted."""
