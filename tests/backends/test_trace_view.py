"""What the Collector adds for who reads a trace: which attempt is a retry, and whom it called."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from . import otlp
from .test_redaction import through

ADDRESS = "api.anthropic.com"


@pytest.mark.parametrize("config", ["all-in-one.yaml", "agent.yaml"])
def test_a_retry_has_its_number_in_its_name_and_the_api_is_a_peer(
    collector_path: Path, tmp_path: Path, config: str
) -> None:
    """Of this library's attempts only: not of calls, which have the number of their retries, and of nobody else's."""
    trace = secrets.token_bytes(16)
    ours = [
        otlp.span(trace, "anthropic.messages.create", http__request__resend_count=2, server__address=ADDRESS),
        otlp.span(trace, "POST /v1/messages", http__request__method="POST", server__address=ADDRESS),
        *(
            otlp.span(
                trace,
                "POST /v1/messages",
                http__request__method="POST",
                server__address=ADDRESS,
                http__request__resend_count=number,
            )
            for number in (1, 2)
        ),
        otlp.span(trace, "GET", http__request__method="GET", server__address=ADDRESS, peer__service="claude"),
    ]
    theirs = [otlp.span(trace, "POST", http__request__method="POST", http__request__resend_count=1)]
    exported = otlp.traces(ours)
    exported.resource_spans[0].scope_spans[0].scope.name = "anthropic_otel"
    exported.resource_spans[0].scope_spans.add(spans=theirs).scope.name = "opentelemetry.instrumentation.httpx"
    sent = through(collector_path, config, tmp_path, ("traces", exported))
    found = [
        (span.name, {pair.key: pair.value.string_value for pair in span.attributes}.get("peer.service"))
        for scope in sent.traces.resource_spans[0].scope_spans
        for span in scope.spans
    ]
    assert found == [
        ("anthropic.messages.create", None),
        ("POST /v1/messages", ADDRESS),
        ("POST /v1/messages retry 1", ADDRESS),
        ("POST /v1/messages retry 2", ADDRESS),
        ("GET", "claude"),
        ("POST", None),
    ]
