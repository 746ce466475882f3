"""An app that configures Logfire a second time, as notebooks and reloading servers do. Prints what was counted.

Rule: what was recorded after the second time is looked for where it is exported: in the second reader.
"""

from __future__ import annotations

import json
from typing import Any

import anthropic
import logfire
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import anthropic_otel
from anthropic_otel.simulator import Simulator

REQUEST: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}


def configured() -> InMemoryMetricReader:
    """Configures Logfire with a reader, which it hands on to the providers that it makes."""
    reader = InMemoryMetricReader()
    logfire.configure(send_to_logfire=False, console=False, metrics=logfire.MetricsOptions(additional_readers=[reader]))
    return reader


def names(reader: InMemoryMetricReader) -> list[str]:
    """The names of our metrics that the reader has."""
    data = reader.get_metrics_data()
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
    return sorted({metric.name for scope in scopes for metric in scope.metrics if metric.name.startswith("anthropic.")})


def main() -> None:
    """Calls once with each configuration."""
    told = []
    with Simulator() as sim, anthropic.Anthropic(base_url=sim.base_url, api_key="none") as client:
        for _ in range(2):
            reader = configured()
            anthropic_otel.instrument()
            client.messages.create(**REQUEST)
            told.append(names(reader))
    print(json.dumps({"first": told[0], "second": told[1]}))


main()
