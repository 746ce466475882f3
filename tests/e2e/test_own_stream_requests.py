"""Streams that the app asks for by a body of its own, of which the SDK's method knows nothing.

Such are a raw `client.post`, as of a proxy that passes requests on, and `extra_body={"stream": True}`.
"""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Callable
from typing import Any, Final

import anthropic
import pytest

from anthropic_otel.simulator import Simulator
from anthropic_otel.testing import Captured, capture
from support.apps import API_KEY, MODEL, request_of
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack, each_of, http_client
from support.versions import HAS_MIDDLEWARE, TAKES_BODY_IN_BYTES

pytestmark = pytest.mark.usefixtures("waits")
stack = each_of(SDK_STACKS)

PATH: Final = "/v1/messages"
BODY: Final = request_of(stream=True)
ASKED: Final[dict[str, Any]] = {**request_of(), "extra_body": {"stream": True}}
JSON: Final = {"headers": {"content-type": "application/json"}}

Way = Callable[[Any, Driver, Stack], Any]
"""A way to ask, which reads all that comes."""


def posted(client: Any, driver: Driver, stack: Stack) -> Any:
    """As a proxy passes it on."""
    return driver(client.post(PATH, cast_to=stack.module.Response, body=BODY)).text


def bytes_posted(client: Any, driver: Driver, stack: Stack) -> Any:
    """As a proxy passes it on that has not parsed it."""
    options: dict[str, Any] = {"cast_to": stack.module.Response, "options": JSON}
    return driver(client.post(PATH, content=json.dumps(BODY).encode(), **options)).text


def body_in_bytes(client: Any, driver: Driver, stack: Stack) -> Any:
    """The same by an SDK below 1.0."""
    options: dict[str, Any] = {"cast_to": stack.module.Response, "options": JSON}
    return driver(client.post(PATH, body=json.dumps(BODY).encode(), **options)).text


def text_posted(client: Any, driver: Driver, stack: Stack) -> Any:
    """The SDK returns the text."""
    return driver(client.post(PATH, cast_to=str, body=BODY))


def raw(client: Any, driver: Driver, stack: Stack) -> Any:
    """The response is in memory."""
    return driver(client.messages.with_raw_response.create(**ASKED)).http_response.text


def streamed(client: Any, driver: Driver, stack: Stack) -> Any:
    """The app reads it as it comes."""

    async def read() -> Any:
        async with client.messages.with_streaming_response.create(**ASKED) as response:
            return [line async for line in response.iter_lines()]

    if stack.asynchronous:
        return driver(read())
    with client.messages.with_streaming_response.create(**ASKED) as response:
        return list(response.iter_lines())


def created(client: Any, driver: Driver, stack: Stack) -> Any:
    """The SDK returns the text, in place of a message."""
    return driver(client.messages.create(**ASKED))


TAKES_BYTES: Final = "content" in inspect.signature(anthropic.Anthropic.post).parameters
NO_CONTENT: Final = pytest.mark.skipif(not TAKES_BYTES, reason="this SDK sends no bytes of the app's")
NO_BYTES: Final = (
    pytest.mark.skipif(not TAKES_BODY_IN_BYTES, reason="this SDK takes no bytes for a body"),
    pytest.mark.filterwarnings("ignore:Passing raw bytes:DeprecationWarning"),
)
WAYS: Final = [
    posted,
    pytest.param(bytes_posted, marks=NO_CONTENT),
    pytest.param(body_in_bytes, marks=NO_BYTES),
    text_posted,
    raw,
    streamed,
    created,
]


def asked(way: Way, stack: Stack, sim: Simulator, driver: Driver, **options: Any) -> Captured:
    """What is told of a call that asks that way, by a client with these options."""
    cls: Any = anthropic.AsyncAnthropic if stack.asynchronous else anthropic.Anthropic
    client = cls(base_url=sim.base_url, api_key=API_KEY, http_client=http_client(stack), max_retries=0, **options)
    with capture() as telemetry, contextlib.suppress(anthropic.APIStatusError):
        way(client, driver, stack)
    driver.close(client)
    return telemetry


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("fault", "error_type", "complete"),
    [
        ("ok", None, True),
        ("stream_incomplete", "incomplete_stream", False),
        ("stream_overloaded", "overloaded_error", False),
        ("http_529", "529", None),
    ],
)
def test_a_stream_that_the_apps_own_body_asks_for_is_an_answer(
    way: Way, fault: str, error_type: str | None, complete: bool | None, stack: Stack, sim: Simulator, driver: Driver
) -> None:
    """It ends as one that the SDK's method asks for, and its call with it."""
    sim.play(fault)
    telemetry = asked(way, stack, sim, driver)
    [attempt], [call] = telemetry.attempts, telemetry.calls
    assert (attempt.error_type, call.outcome) == (error_type, "failed" if error_type else "succeeded")
    assert (attempt.stream_complete, attempt.model) == (complete, MODEL)
    assert (call.stream, call.model) == (True, MODEL)
    assert telemetry.in_flight == 0


@pytest.mark.parametrize("way", WAYS)
def test_its_tokens_count(way: Way, stack: Stack, sim: Simulator, driver: Driver) -> None:
    """Its events tell them."""
    [attempt] = asked(way, stack, sim, driver).attempts
    assert attempt.usage is not None
    assert attempt.usage.output_tokens > 0


@pytest.mark.parametrize("way", WAYS)
def test_a_page_in_its_place_is_none(way: Way, stack: Stack, sim: Simulator, driver: Driver) -> None:
    """A captive portal answers whatever was asked."""
    sim.play("html")
    telemetry = asked(way, stack, sim, driver)
    [attempt], [call] = telemetry.attempts, telemetry.calls
    assert (attempt.outcome, attempt.error_type, call.outcome) == ("failed", "unexpected_content", "failed")


def passes_on(request: Any, call_next: Callable[[Any], Any]) -> Any:
    """A middleware that changes nothing."""
    return call_next(request)


async def passes_on_async(request: Any, call_next: Callable[[Any], Any]) -> Any:
    """The same for an async client."""
    return await call_next(request)


@pytest.mark.skipif(not HAS_MIDDLEWARE, reason="this SDK has no middleware")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("ok", "succeeded"),
        ("stream_incomplete", "failed"),
        ("stream_overloaded", "failed"),
        ("http_529", "failed"),
        ("html", "failed"),
    ],
)
def test_its_call_ends_as_it_does_with_a_middleware_too(
    way: Way, fault: str, outcome: str, stack: Stack, sim: Simulator, driver: Driver
) -> None:
    """The text that the SDK returns, and the library's own response, are of the attempt that has failed."""
    sim.play(fault)
    middleware = passes_on_async if stack.asynchronous else passes_on
    [call] = asked(way, stack, sim, driver, middleware=[middleware]).calls
    assert call.outcome == outcome
    assert [attempt.outcome for attempt in call.attempts] == ["completed" if outcome == "succeeded" else outcome]
