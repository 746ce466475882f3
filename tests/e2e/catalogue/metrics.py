"""The metrics of a fault: every one that has a reason to be there, with exactly the attributes that apply.

The gauges of rate limits are not of a fault: `test_rate_limits.py` has them.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from anthropic_otel._core import instruments, semconv
from e2e.catalogue.meeting import Meeting, call_outcome, source_of, status_class_of, status_of
from support import usage
from support.apps import MODEL
from support.telemetry import Telemetry


def check_metrics(meeting: Meeting) -> None:
    """Every metric that has a reason to be there, with exactly the attributes of its definition that apply."""
    told, n = meeting.telemetry, meeting.attempts
    target = metric_target(meeting)
    fault = meeting.fault
    result = {
        semconv.HTTP_RESPONSE_STATUS_CODE: status_of(meeting),
        semconv.ATTEMPT_STATUS_CLASS: status_class_of(meeting),
        semconv.ERROR_TYPE: fault.error_type,
        semconv.NETWORK_CAUSE: fault.cause_word,
        semconv.ATTEMPT_OUTCOME: fault.outcome.value,
    }
    has_first_chunk = _has_first_chunk(told)
    calls = 1 if meeting.stack.of_sdk else 0
    check_points(told, instruments.ATTEMPT_STARTED, target, n)
    check_points(told, instruments.ATTEMPT_DURATION, target | result, n)
    check_points(told, instruments.ATTEMPT_TIME_TO_FIRST_CHUNK, target, int(has_first_chunk))
    streams = sum(semconv.STREAM_MAX_GAP in (span.attributes or {}) for span in told.attempts)
    check_points(told, instruments.STREAM_MAX_GAP, target | {semconv.ATTEMPT_OUTCOME: fault.outcome.value}, streams)
    call = target | {semconv.CALL_OUTCOME: call_outcome(meeting)}
    failed = {semconv.ERROR_TYPE: meeting.call_error_type}
    if meeting.call_error_type is not None:
        # The cause of the attempt that the call failed with, and the code that the API gave it.
        failed |= {name: _told_last(told, name) for name in (semconv.NETWORK_CAUSE, semconv.API_ERROR_CODE)}
    check_points(told, instruments.CALL_DURATION, call | failed, calls)
    check_points(told, instruments.CALL_RETRIES, call, calls if n > 1 else 0)
    retry = {
        semconv.OPERATION_NAME: "messages.create",
        semconv.SERVER_ADDRESS: target[semconv.SERVER_ADDRESS],
        semconv.RETRY_REASON: fault.error_type,
        semconv.RETRY_SOURCE: source_of(fault),
    }
    check_points(told, instruments.RETRY_DELAY, retry, n - 1)
    check_tokens(meeting)
    assert told.metric_names <= {metric.name for metric in instruments.METRICS}


def check_tokens(meeting: Meeting) -> None:
    """The tokens that the server has sent, as far as the library may see them, and 0 for what was not completed."""
    fault, told = meeting.fault, meeting.telemetry
    bedrock = fault.needs.sdk == "AnthropicBedrock"
    url = urlsplit(meeting.endpoint.base_url)
    attributes = {
        semconv.GEN_AI_OPERATION_NAME: "chat",
        semconv.GEN_AI_PROVIDER_NAME: "aws.bedrock" if bedrock else "anthropic",
        semconv.GEN_AI_TOKEN_MODALITY: "unknown",
        semconv.GEN_AI_REQUEST_MODEL: MODEL,
        semconv.SERVER_ADDRESS: url.hostname,
        semconv.SERVER_PORT: url.port or {"http": 80, "https": 443}[url.scheme],
        semconv.ATTEMPT_OUTCOME: fault.outcome.value,
    }
    # Without the SDK only streams are seen: their events pass.
    seen = meeting.stack.of_sdk or fault.stream
    if fault.stream and fault.outcome is semconv.AttemptOutcome.FAILED:
        # aiohttp may leave out what came in one read with the failure: then nothing was handed on, and nothing is told.
        # And an SDK that knows events by their names hands on none of these.
        seen = seen and _has_first_chunk(told) and fault.name != "stream_other_names"
    usages = [each.usage for each in meeting.served if each.usage is not None] if seen else []
    tokens = usage.sent(meeting.served) if seen else {}
    for metric in instruments.USAGE:
        points = told.points(metric)
        if not usages and fault.outcome is semconv.AttemptOutcome.COMPLETED:
            assert points == [], metric.name
        else:
            assert [(point.attributes, point.sum) for point in points] == [(attributes, tokens.get(metric.name, 0))]


def _has_first_chunk(told: Telemetry) -> bool:
    return any(semconv.STREAM_TIME_TO_FIRST_CHUNK in (span.attributes or {}) for span in told.attempts)


def _told_last(told: Telemetry, name: str) -> Any:
    return (told.attempts[-1].attributes or {}).get(name) if told.attempts else None


def metric_target(meeting: Meeting) -> dict[str, Any]:
    """The operation, the host and the model, which a request of the SDK tells, and the first bytes of another one."""
    target = {
        semconv.OPERATION_NAME: "messages.create",
        semconv.SERVER_ADDRESS: urlsplit(meeting.endpoint.base_url).hostname,
    }
    return target | {semconv.GEN_AI_REQUEST_MODEL: MODEL}


def check_points(told: Telemetry, metric: instruments.Metric, attributes: dict[str, Any], count: int) -> None:
    """One point with those attributes, `None` left out, and so many measurements; or no point, for none."""
    points = told.points(metric)
    if not count:
        assert not points
        return
    [point] = points
    assert point.attributes == {name: value for name, value in attributes.items() if value is not None}
    assert (point.sum if metric.instrument is instruments.Instrument.OBSERVABLE_COUNTER else point.count) == count
    if metric is instruments.CALL_RETRIES:
        assert point.sum == len(told.attempts) - 1
