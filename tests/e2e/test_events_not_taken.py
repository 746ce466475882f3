"""Events that the SDK decodes and cannot take: the code that makes a message of them raises, and the app gets that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import anthropic
import pytest

from anthropic_otel.simulator import Chunks, Endpoint, Simulator
from anthropic_otel.testing import Captured, capture
from support.apps import SdkApp, request_of
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack, each_of
from support.streams import LAST_DELTA, START, STOP, delta, sse
from support.versions import CLOSES_FAILED_STREAMS

pytestmark = pytest.mark.usefixtures("waits")
stack = each_of(SDK_STACKS)

BLOCK: Final = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
END: Final = (sse("message_delta", LAST_DELTA), sse("message_stop", STOP))
NO_BLOCK: Final = (sse("message_start", START), sse("content_block_delta", delta("hi")), *END)
WHOLE: Final = (
    sse("message_start", START),
    sse("content_block_start", BLOCK),
    sse("content_block_delta", delta("hi")),
    *END,
)


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as found:
        yield found


def helped(app: SdkApp, use: Any = None) -> Any:
    """What `messages.stream()` makes of the events. `use` is called with the stream before it is read, if given."""
    manager = app.client.messages.stream(**request_of())
    if not app.driver.asynchronous:
        with manager as stream:
            return use(stream) if use else stream.get_final_message()

    async def read() -> Any:
        async with manager as stream:
            return use(stream) if use else await stream.get_final_message()

    return app.driver(read())


def told(captured: Captured) -> tuple[Any, ...]:
    """Outcome and error of the only call, and of its only attempt."""
    [call] = captured.calls
    [attempt] = call.attempts
    return call.outcome, call.error_type, attempt.outcome, attempt.error_type, attempt.stream_complete


@pytest.mark.parametrize("joined", [False, True], ids=["apart", "in one chunk"])
def test_an_event_that_no_message_can_be_made_of_is_invalid(
    joined: bool, stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """A gateway leaves out the beginning of a block. The app gets the SDK's exception, and has abandoned nothing."""
    sim.play(Chunks((b"".join(NO_BLOCK),) if joined else NO_BLOCK))
    app = SdkApp(stack, Endpoint(sim.base_url), driver)
    with pytest.raises(IndexError):
        helped(app)
    assert told(captured) == ("failed", "client_error", "failed", "invalid_event", False)
    app.close()


@pytest.mark.skipif(not CLOSES_FAILED_STREAMS, reason="this SDK does not close the stream that it cannot take")
def test_an_event_that_strict_validation_rejects_is_invalid(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """A client that validates strictly raises for an event of another form."""
    sim.play(Chunks((WHOLE[0], sse("message_delta", {"type": "message_delta", "delta": 5}), *WHOLE[1:])))
    app = SdkApp(stack, Endpoint(sim.base_url), driver, _strict_response_validation=True)
    with pytest.raises(anthropic.APIResponseValidationError):
        app.events()
    assert told(captured) == ("failed", "client_error", "failed", "invalid_event", False)
    app.close()


def test_what_the_app_asks_for_too_early_is_no_invalid_event(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """The SDK raises here too, because of the app: the stream was left, and nothing was wrong with it."""
    sim.play(Chunks(WHOLE))
    app = SdkApp(stack, Endpoint(sim.base_url), driver)
    with pytest.raises(AssertionError):
        helped(app, lambda stream: stream.current_message_snapshot)
    assert told(captured) == ("abandoned", None, "abandoned", None, False)
    app.close()
