"""The same spans and measurements of a create, written by hand in the plainest way: what an engineer would try first.

Rule: the OpenTelemetry calls are those of the bare floor, with the same attributes, and they are made where the
library makes them. Everything else that the library does is left out: no failure is classified, no stream is followed,
nothing is guarded, bounded or undone. So it is what Python needs, at the least, to be at those places and to have those
values there, and the floor is what OpenTelemetry needs.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2
from opentelemetry import context, metrics, propagate, trace
from opentelemetry.trace import SpanKind

_SUPPRESS = context.create_key("suppress_http_instrumentation")


@dataclass
class _Call:
    model: str
    attempts: int = 0


_current: ContextVar[_Call | None] = ContextVar("by_hand", default=None)


def install() -> None:
    """Replaces `request` of the synchronous SDK client and `send` of the HTTP client's class, for good."""
    tracer, meter = trace.get_tracer("by_hand"), metrics.get_meter("by_hand")
    attempt_duration = meter.create_histogram("by_hand.attempt.duration", "s")
    call_duration = meter.create_histogram("by_hand.call.duration", "s")
    call_retries = meter.create_histogram("by_hand.call.retries")
    request_of_sdk: Any = anthropic.Anthropic.request
    send_of_http = httpx2.Client.send

    def request(self: Any, cast_to: Any, options: Any, **kwargs: Any) -> Any:
        started = time.perf_counter_ns()
        call = _Call(options.json_data["model"])
        token, token_of_call = context.attach(context.get_current()), _current.set(call)
        outcome = "failed"
        try:
            result = request_of_sdk(self, cast_to, options, **kwargs)
            outcome = "succeeded" if call.attempts == 1 else "recovered"
            return result
        finally:
            _current.reset(token_of_call)
            context.detach(token)
            attributes = {
                "anthropic.operation.name": "messages.create",
                "server.address": self.base_url.host,
                "gen_ai.request.model": call.model,
                "anthropic.client.call.outcome": outcome,
            }
            call_duration.record((time.perf_counter_ns() - started) / 1e9, attributes)
            call_retries.record(call.attempts - 1, attributes)

    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        call = _current.get()
        if call is None:
            return send_of_http(self, request, **kwargs)
        call.attempts += 1
        started, url = time.perf_counter_ns(), request.url
        attributes: dict[str, Any] = {
            "http.request.method": request.method,
            "server.address": url.host,
            "server.port": url.port or 443,
            "url.full": f"{url.scheme}://{url.host}{url.path}",
            "anthropic.operation.name": "messages.create",
            "url.template": url.path,
        }
        span = tracer.start_span(f"{request.method} {url.path}", None, SpanKind.CLIENT, attributes)
        inner = context.set_value(_SUPPRESS, True, trace.set_span_in_context(span))
        token = context.attach(inner)
        propagate.inject(request.headers, inner)
        status, outcome = 0, "failed"
        try:
            response = send_of_http(self, request, **kwargs)
            status, outcome = response.status_code, "completed"
            received = time.perf_counter_ns()
            span.set_attributes(
                {
                    "http.response.status_code": status,
                    "anthropic.client.attempt.status_class": f"{status // 100}xx",
                    "anthropic.request.id": response.headers.get("request-id", ""),
                    "anthropic.organization.id": response.headers.get("anthropic-organization-id", ""),
                    "anthropic.client.phase.receive": (time.perf_counter_ns() - received) / 1e9,
                    "anthropic.client.attempt.outcome": outcome,
                }
            )
            return response
        finally:
            context.detach(token)
            span.end()
            measured = {
                "anthropic.operation.name": "messages.create",
                "server.address": url.host,
                "gen_ai.request.model": call.model,
                "http.response.status_code": status,
                "anthropic.client.attempt.status_class": f"{status // 100}xx",
                "anthropic.client.attempt.outcome": outcome,
            }
            attempt_duration.record((time.perf_counter_ns() - started) / 1e9, measured)

    anthropic.Anthropic.request = request  # type: ignore[method-assign]
    httpx2.Client.send = send  # type: ignore[method-assign]
