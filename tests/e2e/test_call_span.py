"""Who makes the span of a call, where the SDK's tracing and the library have different providers."""

from __future__ import annotations

from typing import Any

import anthropic

from anthropic_otel.simulator import Simulator
from support.telemetry import Telemetry

REQUEST: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 16,
    "messages": [{"role": "user", "content": "Hello"}],
}


def test_each_call_has_its_span_within_a_span_of_the_app(sim: Simulator, recorded: Telemetry) -> None:
    """The SDK's spans go nowhere here; its tracer hands on the app's span in an object of its own."""
    recorded.instrument()
    with (
        anthropic.Anthropic(base_url=sim.base_url, api_key="none") as client,
        recorded.tracer_provider.get_tracer("app").start_as_current_span("a request of the app") as own,
    ):
        client.messages.create(**REQUEST)
        client.messages.create(**REQUEST)
    assert [call.parent.span_id for call in recorded.calls if call.parent] == [own.get_span_context().span_id] * 2
    assert [attempt.parent for attempt in recorded.attempts] == [call.context for call in recorded.calls]
