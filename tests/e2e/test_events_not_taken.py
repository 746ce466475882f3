"""Events that the SDK decodes and cannot take: the code that makes a message of them raises, and the app gets that."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, Final

import anthropic
import pydantic
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
needs_output = pytest.mark.skipif(
    not hasattr(anthropic.Anthropic(api_key="none").messages, "parse"), reason="this SDK parses no output"
)

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


def helped(app: SdkApp, use: Any = None, surface: str = "messages", **options: Any) -> Any:
    """What `messages.stream()` makes of the events. `use` is called with the stream before it is read, if given."""
    manager = attrgetter(surface)(app.client).stream(**request_of(), **options)
    if not app.driver.asynchronous:
        with manager as stream:
            return use(stream) if use else stream.get_final_message()

    async def read() -> Any:
        async with manager as stream:
            used = use(stream) if use else stream.get_final_message()
            return await used if inspect.isawaitable(used) else used

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


@pytest.mark.skipif(not CLOSES_FAILED_STREAMS, reason="this SDK does not close the stream that it cannot take")
def test_an_event_that_the_sdk_cannot_decode_may_end_in_two_kinds_of_line_ends(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """The SDK takes no such pair of line ends for the end of an event yet: it fails at the next one's end."""
    bad = b"event: content_block_delta\ndata: {not json\n\r\n"
    sim.play(Chunks((*WHOLE[:2], bad, sse("content_block_delta", delta("x" * 20_000)), *END)))
    app = SdkApp(stack, Endpoint(sim.base_url), driver)
    with pytest.raises(json.JSONDecodeError):
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


class Wanted(pydantic.BaseModel):
    """What the app has the SDK parse the text of a reply into."""

    number: int


UNFIT: Final = (*WHOLE[:3], sse("content_block_stop", {"type": "content_block_stop", "index": 0}), *END)


@needs_output
# Some SDKs say so on the beta surface.
@pytest.mark.filterwarnings("ignore:The 'output_format' parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize("surface", ["messages", "beta.messages"])
@pytest.mark.parametrize("joined", [False, True], ids=["apart", "in one chunk"])
def test_a_text_that_does_not_fit_the_apps_model_is_the_apps_exception(
    joined: bool, surface: str, stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """The SDK parses the text into a model of the app's at the end of its block. The app has left nothing unread."""
    sim.play(Chunks((b"".join(UNFIT),) if joined else UNFIT))
    app = SdkApp(stack, Endpoint(sim.base_url), driver)
    with pytest.raises(pydantic.ValidationError):
        helped(app, surface=surface, output_format=Wanted)
    assert told(captured)[:4] == ("failed", "client_error", "failed", "app_exception")
    [attempt] = captured.attempts
    assert attempt.exception_type == "pydantic_core._pydantic_core.ValidationError"
    assert (attempt.phase, attempt.status) == ("receive", 200)
    app.close()


@needs_output
def test_a_stream_whose_model_exception_the_app_catches_before_it_closes_it_is_left(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """An app that catches the exception and then closes the stream has left it: nobody else sees what it caught."""
    sim.play(Chunks(UNFIT))
    app = SdkApp(stack, Endpoint(sim.base_url), driver)

    def caught(stream: Any) -> None:
        with pytest.raises(pydantic.ValidationError):
            stream.until_done()

    async def caught_async(stream: Any) -> None:
        with pytest.raises(pydantic.ValidationError):
            await stream.until_done()

    helped(app, caught_async if stack.asynchronous else caught, output_format=Wanted)
    # It is completed if its end had come with the block.
    assert told(captured)[:4] in (("abandoned", None, "abandoned", None), ("succeeded", None, "completed", None))
    app.close()


@needs_output
def test_what_the_app_raises_at_an_event_is_no_exception_of_its_model(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """Also if it is of the same class: the app has left the stream, whatever it did with what it had read."""
    sim.play(Chunks(WHOLE))
    app = SdkApp(stack, Endpoint(sim.base_url), driver)
    with pytest.raises(pydantic.ValidationError):
        helped(app, lambda _: Wanted.model_validate_json("hi"), output_format=Wanted)
    assert told(captured) == ("abandoned", None, "abandoned", None, False)
    app.close()
