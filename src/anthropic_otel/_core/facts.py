"""Gives the facts of attempts and calls as plain values, for recorders that make no telemetry: events and `capture`.

Rule: a fact is a plain value or `None`, and no object of the app's. Most have the value of a span attribute, for which
the key is short, as `status` for `http.response.status_code`. Some are on no span, or there only if they say something,
such as an attempt's model, a call's outcome and 0 retries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anthropic_otel._core.semconv import OTHER

if TYPE_CHECKING:
    from anthropic_otel._core.attempt import Attempt
    from anthropic_otel._core.call import Call
    from anthropic_otel._core.event_json import ApiError

Facts = dict[str, Any]


def attempt_facts(attempt: Attempt) -> Facts:
    """Returns the facts of an attempt that has ended, by name, without its times. Every name is there."""
    cause, retry = attempt.cause, attempt.retry
    end = attempt.reading.end if attempt.reading is not None else None
    return {
        "operation": attempt.operation,
        "model": attempt.model,
        "outcome": attempt.outcome.value if attempt.outcome is not None else None,
        "status": attempt.status,
        "request_id": attempt.request_id,
        "error_type": attempt.error_type,
        "cause": cause.word.value if cause is not None else None,
        "phase": attempt.timeline.phase.value if cause is not None else None,
        "errno": cause.errno if cause is not None else None,
        "exception_type": attempt.exception_type,
        "api_error_type": api_error_type(attempt.api_error),
        "api_error_code": attempt.api_error.code if attempt.api_error is not None else None,
        "retry_reason": retry.reason if retry is not None else None,
        "retry_source": retry.source.value if retry is not None and retry.source is not None else None,
        "retry_stop_reason": attempt.retry_stop.value if attempt.retry_stop is not None else None,
        "stream_complete": end.complete if end is not None and attempt.is_message else None,
        "connection_reused": attempt.timeline.reused,
    }


def call_facts(call: Call) -> Facts:
    """Returns the facts of a call that has ended, by name, without its times. Every name is there."""
    end = call.ending
    return {
        "operation": call.operation,
        "model": call.invocation.model,
        "outcome": end.outcome.value if end.outcome is not None else None,
        "error_type": end.error_type,
        "cause": end.cause.value if end.cause is not None else None,
        "api_error_code": end.api_error.code if end.api_error is not None else None,
        "retries": call.attempts.retries,
    }


def api_error_type(error: ApiError | None) -> str | None:
    """Returns the API's type of an error, `None` without an error or for a type that is not in the closed list."""
    return error.type if error is not None and error.type != OTHER else None
