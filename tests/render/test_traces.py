"""Spans as plain values, from the spans that real calls have left."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from anthropic_otel._render.traces import Attempt, Trace, traces_of
from anthropic_otel.simulator import Simulator
from support.credentials import SlowProvider
from support.telemetry import Telemetry

REQUEST: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 16,
    "messages": [{"role": "user", "content": "Hello"}],
}


@pytest.fixture
def client(sim: Simulator, recorded: Telemetry, waits: list[float]) -> Any:
    recorded.instrument()
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none") as made:
        yield made


def test_a_call_with_its_attempts_and_backoffs(sim: Simulator, recorded: Telemetry, client: Any) -> None:
    """Everything that a waterfall shows is in the spans: times, status, request id, cause, backoff and its source."""
    sim.play("http_529", "connection_reset", "ok")
    client.messages.create(**REQUEST)
    [trace] = traces_of(recorded.spans)
    refused, reset, answered = trace.attempts
    assert (trace.name, trace.model, trace.outcome, trace.answered) == (
        "anthropic.messages.create",
        "claude-opus-4-8",
        "recovered",
        True,
    )
    assert trace.error_types == ("529", "connection_reset", None)
    assert [each.request_id for each in trace.attempts] == [sim.request_ids[0], None, sim.request_ids[1]]
    assert (reset.phase, reset.errno, reset.status, reset.headers_at) == ("wait", "ECONNRESET", None, None)
    assert (reset.reason, reset.source, answered.reason) == ("529", "backoff", "connection_reset")
    assert refused.headers_at is not None
    assert 0 <= refused.start < refused.headers_at <= refused.end <= reset.start < answered.end <= trace.duration
    assert trace.backoff == pytest.approx((reset.start - refused.end) + (answered.start - reset.end), abs=2e-3)


def test_the_headers_come_after_the_time_for_credentials(
    sim: Simulator, recorded: Telemetry, waits: list[float]
) -> None:
    """A slow provider of credentials delays what is sent, and so the response."""
    provider = SlowProvider()
    recorded.instrument()
    with anthropic.Anthropic(base_url=sim.base_url, credentials=provider) as client:
        client.messages.create(**REQUEST)
    [trace] = traces_of(recorded.spans)
    [attempt] = trace.attempts
    assert attempt.headers_at is not None
    assert attempt.start + provider.took[0] < attempt.headers_at <= attempt.end


def test_a_call_that_used_up_its_retries(sim: Simulator, recorded: Telemetry, client: Any) -> None:
    """A failure that is retried until nothing is left is exhausted."""
    sim.play(*["http_529"] * 3)
    with pytest.raises(anthropic.APIStatusError):
        client.messages.create(**REQUEST)
    [trace] = traces_of(recorded.spans)
    assert (trace.outcome, trace.answered, len(trace.attempts)) == ("exhausted", False, 3)


def test_a_stream_that_ends_early(sim: Simulator, recorded: Telemetry, client: Any) -> None:
    """A stream has its first chunk, and a call whose body fails is failed."""
    sim.play("stream_incomplete")
    for _ in client.messages.create(**REQUEST, stream=True):
        pass
    [trace] = traces_of(recorded.spans)
    [attempt] = trace.attempts
    assert (trace.outcome, attempt.error_type, attempt.complete) == ("failed", "incomplete_stream", False)
    assert attempt.first_chunk is not None
    assert "no message_stop" in attempt.details


def test_calls_come_in_their_order_and_other_spans_do_not_come_at_all(
    sim: Simulator, recorded: Telemetry, client: Any
) -> None:
    """An app's own spans are neither calls nor attempts."""
    tracer = recorded.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("a request of the app"):
        client.messages.create(**{**REQUEST, "model": "claude-haiku-4-5"})
        client.messages.create(**REQUEST)
    first, second = traces_of(reversed(recorded.spans))
    assert (first.model, second.model) == ("claude-haiku-4-5", "claude-opus-4-8")
    assert first.trace_id == second.trace_id


@pytest.mark.parametrize(
    ("attempts", "outcome"),
    [
        ([("completed", 200)], "succeeded"),
        ([("failed", 529), ("completed", 200)], "recovered"),
        ([("failed", 400)], "failed"),
        ([("failed", 529)], "failed"),
        ([("failed", 529), ("failed", 400)], "failed"),
        ([("failed", None), ("failed", None)], "exhausted"),
        ([("failed", 429), ("failed", 429)], "exhausted"),
        ([("failed", 529), ("cancelled", None)], "cancelled"),
        ([("abandoned", 200)], "abandoned"),
    ],
)
def test_the_outcome_of_a_call_follows_from_its_attempts(attempts: list[tuple[str, int | None]], outcome: str) -> None:
    """By the rules that the library counts calls by."""
    made = tuple(
        Attempt(0, 1, how, status, None if how != "failed" else str(status or "connection_reset"))
        for how, status in attempts
    )
    assert Trace("call", 1, made).outcome == outcome
