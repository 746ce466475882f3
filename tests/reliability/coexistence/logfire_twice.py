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


def values(reader: InMemoryMetricReader) -> dict[str, float]:
    """The sum of each of our metrics that the reader has; of a histogram 0."""
    data = reader.get_metrics_data()
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
    ours = [metric for scope in scopes for metric in scope.metrics if metric.name.startswith("anthropic.")]
    return {metric.name: sum(getattr(point, "value", 0) for point in metric.data.data_points) for metric in ours}


def main() -> None:
    """Calls once by each client with each configuration."""
    told = []
    with Simulator() as sim:
        clients = [anthropic.Anthropic(base_url=sim.base_url, api_key="none") for _ in range(2)]
        for _ in range(2):
            reader = configured()
            for client in clients:
                anthropic_otel.instrument(client)
                client.messages.create(**REQUEST)
            told.append(values(reader))
        for client in clients:
            client.close()
    first, second = told
    started = second["anthropic.client.attempt.started"]
    print(json.dumps({"first": sorted(first), "second": sorted(second), "started": started}))


main()
