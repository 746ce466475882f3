"""What the app hands in or gets back may be anything: of a class of its own, with properties that raise."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import anthropic_otel
from anthropic_otel._core import semconv
from anthropic_otel.simulator import Simulator
from support.apps import API_KEY, SdkApp
from support.driver import Driver
from support.stacks import HTTPCORE_STACKS, SDK_STACKS, Stack, each_of, http_client
from support.telemetry import Telemetry

HEADERS = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}

stack = each_of(stack for stack in SDK_STACKS if stack in HTTPCORE_STACKS)


def status_of(telemetry: Telemetry) -> Any:
    """That of the only attempt."""
    [attempt] = telemetry.attempts
    return dict(attempt.attributes or {}).get(semconv.HTTP_RESPONSE_STATUS_CODE)


@pytest.mark.parametrize("hooked", [False, True])
def test_the_extensions_of_a_request_can_be_copied(
    hooked: bool, sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """A transport of the app does so where it sends a request anew: the copy is sent, and the attempt seen once."""
    copies: list[Any] = []

    def copied(request: Any) -> Any:
        copies.append(copy.deepcopy(request.extensions))
        return stack.module.Request(
            request.method, request.url, headers=request.headers, content=request.content, extensions=copies[-1]
        )

    class Sync(stack.module.HTTPTransport):  # type: ignore[misc,name-defined]
        def handle_request(self, request: Any) -> Any:
            return super().handle_request(copied(request))

    class Async(stack.module.AsyncHTTPTransport):  # type: ignore[misc,name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            return await super().handle_async_request(copied(request))

    hooks: Any = {}
    if hooked:
        hooks = anthropic_otel.event_hooks(
            tracer_provider=recorded.tracer_provider, meter_provider=recorded.meter_provider
        )
        hooks = {"event_hooks": hooks}
    else:
        recorded.instrument()
    transport = Async() if stack.asynchronous else Sync()
    client = http_client(stack, sim.endpoint("ok"), transport=transport, **hooks)
    app = SdkApp(stack, sim.endpoint("ok"), driver, http=client)
    app.create()
    copies.clear()
    assert status_of(recorded) == 200
    app.close()
