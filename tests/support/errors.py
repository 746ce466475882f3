"""The word that a call has for an exception, by the rules of the SDK's own tracing."""

from __future__ import annotations

import anthropic

from anthropic_otel._core import semconv
from support.stacks import Stack


def call_error_type(error: BaseException, stack: Stack) -> str:
    """The `error.type` of a call that ends with `error`, on a client of that stack."""
    if isinstance(error, anthropic.APITimeoutError | stack.module.TimeoutException):
        return "client_timeout_error"
    if isinstance(error, anthropic.APIConnectionError | stack.module.TransportError):
        return "connection_error"
    if not isinstance(error, anthropic.APIStatusError):
        return "client_error"
    body = error.body if isinstance(error.body, dict) else {}
    found = body.get("error")
    told = found.get("type") if isinstance(found, dict) else None
    if told in semconv.API_ERROR_TYPES or told in semconv.BEDROCK_EXCEPTIONS:
        return str(told)
    if error.status_code >= 400:
        return str(error.status_code)
    return semconv.OTHER if told else "client_error"
