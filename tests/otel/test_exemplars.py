"""Which measurements have an exemplar, and which span it leads to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from anthropic_otel._core import instruments
from anthropic_otel.simulator import Endpoint, Simulator
from support.apps import SdkApp
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack
from support.telemetry import Telemetry

pytestmark = pytest.mark.usefixtures("waits")


@pytest.fixture(params=[stack for stack in SDK_STACKS if not stack.aiohttp], ids=lambda stack: stack.name)
def app(request: pytest.FixtureRequest, sim: Simulator, recorded: Telemetry) -> Iterator[SdkApp]:
    """An instrumented app on a stack that the SDK uses by itself."""
    stack: Stack = request.param
    recorded.instrument()
    with Driver(asynchronous=stack.asynchronous) as driver:
        app = SdkApp(stack, Endpoint(sim.base_url), driver, recorded)
        yield app
        app.close()


def _exemplars(telemetry: Telemetry, metric: instruments.Metric) -> list[int]:
    """The ids of the spans that the exemplars of a metric lead to."""
    data: Any = telemetry.reader.get_metrics_data()
    scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
    points = [point for scope in scopes for m in scope.metrics if m.name == metric.name for point in m.data.data_points]
    return [exemplar.span_id for point in points for exemplar in point.exemplars]


def test_only_a_call_with_retries_is_an_exemplar_of_retries(app: SdkApp, sim: Simulator, recorded: Telemetry) -> None:
    """The exemplars of `call.retries` lead to calls that were retried, and never to one that was not."""
    app.create()
    sim.play("http_529", "ok")
    app.create()
    _, retried = recorded.calls
    assert retried.context is not None
    assert _exemplars(recorded, instruments.CALL_RETRIES) == [retried.context.span_id]
