"""A middleware of the SDK that sends further attempts while the app reads a stream, as the refusal fallback does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import anthropic
import pytest

from anthropic_otel._adapters.current import current_call
from anthropic_otel.simulator import Reply, Simulator
from anthropic_otel.testing import capture
from support.streams import refusal

middleware = pytest.importorskip("anthropic.lib.middleware", reason="this SDK has no refusal fallback")

PARAMS: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}
FALLBACKS = [{"model": "claude-opus-4-7"}]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        running.play(Reply(body=refusal(PARAMS["model"]), content_type="text/event-stream"), "ok")
        yield running


def test_the_fallback_is_an_attempt_of_the_same_call(simulator: Simulator) -> None:
    """Both requests are attempts of one call, which is over when the spliced stream is; nothing stays current."""
    fallback = middleware.BetaRefusalFallbackMiddleware(FALLBACKS)
    state = middleware.BetaFallbackState()
    with anthropic.Anthropic(base_url=simulator.base_url, api_key="none", middleware=[fallback]) as client:
        with state, capture() as telemetry:
            for _ in client.beta.messages.create(stream=True, **PARAMS):
                assert current_call.get() is None
        [call] = telemetry.calls
        assert [(a.outcome, a.resend_count, a.stream_complete) for a in call.attempts] == [
            ("completed", 0, True),
            ("completed", 1, True),
        ]
        assert (call.outcome, telemetry.in_flight) == ("succeeded", 0)


def test_the_fallback_of_an_async_stream_too(simulator: Simulator) -> None:
    """The same for an async client."""

    async def read() -> None:
        fallback = middleware.BetaRefusalFallbackMiddleware(FALLBACKS)
        async with anthropic.AsyncAnthropic(
            base_url=simulator.base_url, api_key="none", middleware=[fallback]
        ) as client:
            async for _ in await client.beta.messages.create(stream=True, **PARAMS):
                assert current_call.get() is None

    with middleware.BetaFallbackState(), capture() as telemetry:
        asyncio.run(read())
    [call] = telemetry.calls
    assert [a.outcome for a in call.attempts] == ["completed", "completed"]
    assert (call.outcome, telemetry.in_flight) == ("succeeded", 0)


def test_a_spliced_stream_that_is_given_up_ends_its_call(simulator: Simulator) -> None:
    """Closing the stream before its end ends the attempt and the call, once."""
    fallback = middleware.BetaRefusalFallbackMiddleware(FALLBACKS)
    with anthropic.Anthropic(base_url=simulator.base_url, api_key="none", middleware=[fallback]) as client:
        with middleware.BetaFallbackState(), capture() as telemetry:
            stream = client.beta.messages.create(stream=True, **PARAMS)
            next(iter(stream))
            stream.close()
        [call] = telemetry.calls
        assert call.outcome == "abandoned"
        assert telemetry.in_flight == 0


@pytest.mark.parametrize(
    ("fault", "error_type"),
    [
        ("stream_cut", "connection_error"),
        ("stream_reset", "connection_error"),
        ("stream_overloaded", "overloaded_error"),
    ],
)
def test_a_spliced_stream_that_breaks_fails_its_call(fault: str, error_type: str) -> None:
    """The stream of the fallback breaks while the app reads: the app gets an exception, with which the call has failed.

    An error event is raised by the SDK, which then closes the stream that the middleware builds.
    """
    fallback = middleware.BetaRefusalFallbackMiddleware(FALLBACKS)
    refused = Reply(body=refusal(PARAMS["model"]), content_type="text/event-stream")
    with (
        Simulator() as simulator,
        anthropic.Anthropic(base_url=simulator.base_url, api_key="none", middleware=[fallback]) as client,
        middleware.BetaFallbackState(),
        capture() as telemetry,
    ):
        simulator.play(refused, fault)
        stream = client.beta.messages.create(stream=True, **PARAMS)
        with pytest.raises(Exception, match=r"closed|reset|Overloaded"):
            list(stream)
    [call] = telemetry.calls
    assert (call.outcome, call.error_type) == ("failed", error_type)
    assert [attempt.outcome for attempt in call.attempts] == ["completed", "failed"]
    assert telemetry.in_flight == 0


def test_a_body_of_a_middleware_that_is_left_early_is_closed_as_in_a_plain_app(simulator: Simulator) -> None:
    """Where the HTTP library closes what it iterates, the middleware's generator ends at once, and in that task."""

    async def left_early() -> list[bool]:
        reader, closed = asyncio.current_task(), list[bool]()

        async def respliced(request: Any, call_next: Any) -> Any:
            answer = await call_next(request)
            original = answer.http_response
            kind: Any = next(cls for cls in type(original.stream).__mro__ if cls.__name__ == "AsyncByteStream")

            class Body(kind):  # type: ignore[misc]
                async def __aiter__(self) -> AsyncIterator[bytes]:
                    try:
                        async for chunk in original.aiter_raw():
                            yield chunk
                    finally:
                        closed.append(asyncio.current_task() is reader)

                async def aclose(self) -> None:
                    await original.aclose()

            http = type(original)(200, headers=original.headers, stream=Body(), request=original.request)
            options = {name: getattr(answer, f"_{name}") for name in ("client", "cast_to", "stream_cls", "options")}
            return type(answer)(raw=http, stream=True, **options)

        client = anthropic.AsyncAnthropic(base_url=simulator.base_url, api_key="k", middleware=[respliced])
        async with client:
            stream = await client.messages.create(stream=True, **PARAMS)
            async with aclosing(stream.response.aiter_raw()) as chunks:
                async for _ in chunks:
                    break
            return list(closed)

    plain = asyncio.run(left_early())
    with capture() as telemetry:
        assert asyncio.run(left_early()) == plain
    # Where the library closes nothing, the first response stays open in a plain app too, and so does its attempt.
    assert not plain or [call.outcome for call in telemetry.calls] == ["abandoned"]
