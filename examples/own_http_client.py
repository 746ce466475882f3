"""Nothing patched: event hooks on an HTTP client of one's own, here `httpx2`, calling the API without the SDK.

The SDK takes such a client too: `anthropic.Anthropic(http_client=...)`, of the kind that its version is built on.
"""

import os

import httpx2
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

import anthropic_otel

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))

with httpx2.Client(
    base_url=os.environ.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
    headers={"x-api-key": os.environ["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01"},
    event_hooks=anthropic_otel.event_hooks(tracer_provider=provider),
) as client:
    response = client.post(
        "/v1/messages",
        json={
            "model": "claude-sonnet-5-5",
            "max_tokens": 300,
            "messages": [{"role": "user", "content": "Why is the sky blue?"}],
        },
    )
    print(response.json()["content"][0]["text"] if response.is_success else response.status_code)
