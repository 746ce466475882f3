"""Streams whose body is in memory when the send returns: those of mocks, of caches and of recorded responses."""

from __future__ import annotations

import contextlib
import json
from typing import Any, Final

import anthropic
import pytest

from anthropic_otel.simulator import Endpoint
from anthropic_otel.testing import Captured, capture
from support.apps import SdkApp
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack, each_of
from support.streams import LAST_DELTA, MESSAGE, START, STOP, delta, error, sse

pytestmark = pytest.mark.usefixtures("waits")
stack = each_of(each for each in SDK_STACKS if not each.aiohttp)

BEGUN: Final = sse("message_start", START) + sse("content_block_delta", delta("hello"))
WHOLE: Final = BEGUN + sse("message_delta", LAST_DELTA) + sse("message_stop", STOP)
OVERLOADED: Final = b'{"type":"error","error":{"type":"overloaded_error","message":"m"}}'


def read(stack: Stack, *answers: tuple[int, str, bytes], way: str = "create") -> Captured:
    """What is told of a call whose requests are answered by those, each a status, a content type and a body."""
    left = list(answers)

    def answer(_: Any) -> Any:
        status, content_type, body = left.pop(0)
        return stack.module.Response(status, headers={"content-type": content_type}, content=body)

    client_class = stack.module.AsyncClient if stack.asynchronous else stack.module.Client
    http = client_class(transport=stack.module.MockTransport(answer))
    with Driver(asynchronous=stack.asynchronous) as driver, capture() as telemetry:
        app = SdkApp(stack, Endpoint("http://api.test"), driver, http=http, max_retries=1)
        with contextlib.suppress(anthropic.APIStatusError):
            if way == "create":
                app.events()
            else:
                response = driver(app.client.messages.with_raw_response.create(**REQUEST))
                driver.read(driver(response.parse()))
        app.close()
    return telemetry


REQUEST: Final[dict[str, Any]] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 8,
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
}


@pytest.mark.parametrize("way", ["create", "raw"])
@pytest.mark.parametrize(
    ("content_type", "body", "error_type", "call_error", "complete"),
    [
        ("text/event-stream", WHOLE, None, None, True),
        ("text/plain", WHOLE, None, None, True),
        (
            "text/event-stream",
            BEGUN + sse("error", error("overloaded_error")),
            "overloaded_error",
            "overloaded_error",
            False,
        ),
        ("text/event-stream", BEGUN, "incomplete_stream", "api_error", False),
        ("text/event-stream", b"", "incomplete_stream", "api_error", False),
        ("application/json", json.dumps(MESSAGE).encode(), "unexpected_content", "api_error", False),
    ],
    ids=["whole", "of another type", "error", "cut", "empty", "JSON"],
)
def test_a_stream_in_memory_is_looked_at(
    content_type: str,
    body: bytes,
    error_type: str | None,
    call_error: str | None,
    complete: bool,
    way: str,
    stack: Stack,
) -> None:
    """It ends as one from the network does, and its call with it."""
    telemetry = read(stack, (200, content_type, body), way=way)
    [attempt], [call] = telemetry.attempts, telemetry.calls
    assert (attempt.error_type, attempt.stream_complete) == (error_type, complete)
    assert attempt.outcome == ("failed" if error_type else "completed")
    assert (call.outcome, call.error_type) == ("failed" if error_type else "succeeded", call_error)


def test_its_usage_counts(stack: Stack) -> None:
    """What its events tell of the tokens is told."""
    [attempt] = read(stack, (200, "text/event-stream", WHOLE)).attempts
    assert attempt.usage is not None
    assert (attempt.usage.input_tokens, attempt.usage.output_tokens) == (9, 7)


def test_a_call_recovers_by_one(stack: Stack) -> None:
    """After a failed attempt the call has recovered."""
    telemetry = read(stack, (529, "application/json", OVERLOADED), (200, "text/event-stream", WHOLE))
    [call] = telemetry.calls
    assert (call.outcome, call.retries) == ("recovered", 1)
