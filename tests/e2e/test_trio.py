"""The async clients on trio: the same attempts as on asyncio."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
import trio

from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import FAULTS, Endpoint, Simulator
from support import identities
from support.apps import API_KEY, request_of
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS, http_client
from support.telemetry import Telemetry
from support.versions import RUNS_ON_TRIO

pytestmark = [
    pytest.mark.usefixtures("waits"),
    *BREAKS_CONNECTIONS,
    pytest.mark.skipif(not RUNS_ON_TRIO, reason="this SDK does not run on trio"),
]
STACK = next(stack for stack in SDK_STACKS if stack.asynchronous and not stack.aiohttp)
NAMES = (
    "ok",
    "http_529",
    "connection_refused",
    "connection_reset",
    "server_disconnected",
    "read_timeout",
    "connect_timeout",
    "tls_untrusted",
    "tls_closed",
    "tls_timeout",
    "body_reset",
    "body_cut",
    "stream_overloaded",
    "stream_reset",
)


async def _meet(endpoint: Endpoint, *, stream: bool) -> None:
    http = http_client(STACK, endpoint)
    async with anthropic.AsyncAnthropic(
        base_url=endpoint.base_url, api_key=API_KEY, http_client=http, timeout=http.timeout, max_retries=1
    ) as client:
        result: Any = await client.messages.create(**request_of(stream=stream))
        if stream:
            async with result:
                _ = [event async for event in result]


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_has_the_same_words_on_trio(name: str, sim: Simulator, recorded: Telemetry) -> None:
    """Cause, phase and outcome do not depend on the event loop."""
    fault, endpoint = FAULTS[name], sim.endpoint(name)
    recorded.instrument()
    failed = False
    try:
        trio.run(lambda: _meet(endpoint, stream=bool(fault.stream)))
    except Exception:
        failed = True
    assert failed == (fault.error_type is not None)
    assert len(recorded.attempts) == (2 if fault.retried else 1)
    for span in recorded.attempts:
        attributes = dict(span.attributes or {})
        assert attributes.get(semconv.ERROR_TYPE) == fault.error_type
        assert attributes[semconv.ATTEMPT_OUTCOME] == fault.outcome.value
        assert attributes.get(semconv.NETWORK_PHASE) == (fault.phase.value if fault.phase else None)
    identities.check(recorded, calls=1)


def test_a_call_that_is_cancelled_on_trio_is_cancelled(sim: Simulator, recorded: Telemetry) -> None:
    """A cancel scope of the app's ends the attempt and the call, and is no error of either."""
    endpoint = sim.endpoint("read_timeout")
    recorded.instrument()

    async def cancel_once_asked(scope: trio.CancelScope) -> None:
        while not sim.requests:
            await trio.sleep(0.001)
        scope.cancel()

    async def main() -> bool:
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_once_asked, scope)
                async with anthropic.AsyncAnthropic(base_url=endpoint.base_url, api_key=API_KEY) as client:
                    await client.messages.create(**request_of())
        return scope.cancelled_caught

    assert trio.run(main)
    [span] = recorded.attempts
    assert (span.attributes or {})[semconv.ATTEMPT_OUTCOME] == "cancelled"
    [point] = recorded.points(instruments.CALL_DURATION)
    assert point.attributes[semconv.CALL_OUTCOME] == "cancelled"
    assert not recorded.logs
    identities.check(recorded, calls=1)
