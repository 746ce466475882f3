"""What is measured: calls of the real SDK, on a mock transport or against a server on a socket.

Rule: a variant changes nothing here. Every variant runs the same calls, with the same bytes in the answers.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx2

MODEL = "claude-opus-4-8"
REQUEST = {"model": MODEL, "max_tokens": 1024, "messages": [{"role": "user", "content": "Say something."}]}
RETRY_COUNT = "x-stainless-retry-count"


@dataclass(frozen=True)
class Case:
    """One kind of call. `base_url` is that of a server on a socket; without one the transport is a mock.

    `sdk_traces` is whether the SDK makes its own call span. `retry` is a 529 before the 200. `segment` is how many
    bytes of a stream come in a chunk; 0 for an event per chunk.
    """

    name: str
    stream: bool = False
    asynchronous: bool = False
    retry: bool = False
    deltas: int = 200
    segment: int = 0
    sdk_traces: bool = True
    base_url: str | None = None


def make_client(case: Case, handler: Callable[[Any], Any] | None = None) -> Any:
    """An SDK client for a case. `handler` answers the requests of a mock transport in the place of `answer`."""
    client_class: Any = anthropic.AsyncAnthropic if case.asynchronous else anthropic.Anthropic
    http_class: Any = httpx2.AsyncClient if case.asynchronous else httpx2.Client
    reply = handler or _handler(case)
    transport = None if case.base_url else httpx2.MockTransport(reply)
    client = client_class(
        api_key="none",
        base_url=case.base_url or "https://api.anthropic.com",
        http_client=http_class(transport=transport, trust_env=False),
        open_telemetry={"traces": {"enabled": case.sdk_traces}},
    )
    # The backoff before a retry is no cost.
    client._calculate_retry_timeout = lambda *_, **__: 0.0
    return client


def run(case: Case, client: Any) -> None:
    """One call of a synchronous client."""
    result = client.messages.create(**REQUEST, stream=case.stream)
    if case.stream:
        for _ in result:
            pass


async def arun(case: Case, client: Any) -> None:
    """One call of an asynchronous client."""
    result = await client.messages.create(**REQUEST, stream=case.stream)
    if case.stream:
        async for _ in result:
            pass


def repeat(case: Case, client: Any, count: int, after: Callable[[], None] | None, loop: Any) -> None:
    """`count` calls one after another, with `after` after each of them."""
    if case.asynchronous:
        loop.run_until_complete(_arepeat(case, client, count, after))
        return
    for _ in range(count):
        run(case, client)
        if after is not None:
            after()


async def _arepeat(case: Case, client: Any, count: int, after: Callable[[], None] | None) -> None:
    for _ in range(count):
        await arun(case, client)
        if after is not None:
            after()


# -- the mock transport's answers --------------------------------------------------------------------------------------

HEADERS = [
    ("date", "Sat, 21 Nov 2026 04:00:00 GMT"),
    ("connection", "keep-alive"),
    *(
        (f"anthropic-ratelimit-{kind}-{what}", value)
        for kind in ("requests", "tokens", "input-tokens", "output-tokens")
        for what, value in (("limit", "80000"), ("remaining", "79000"), ("reset", "2026-11-21T04:01:00Z"))
    ),
    ("request-id", "req_011CSHoEeqs5C35K2UUqR7Fy"),
    ("anthropic-organization-id", "0f5b9c0a-5d0e-4b1c-9d0a-3c1f6e2b7a88"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("server", "cloudflare"),
    ("via", "1.1 google"),
    ("cf-cache-status", "DYNAMIC"),
    ("x-robots-tag", "none"),
]
_MESSAGE = {
    "id": "msg_01", "type": "message", "role": "assistant", "model": MODEL, "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": "Something."}],
    "usage": {"input_tokens": 10, "output_tokens": 200},
}  # fmt: skip
_OVERLOADED = json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}).encode()
_JSON = [*HEADERS, ("content-type", "application/json")]
_EVENTS = [*HEADERS, ("content-type", "text/event-stream; charset=utf-8")]


class Chunks(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that comes in these chunks."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def events(deltas: int) -> list[bytes]:
    """The events of a streamed message, encoded, one per item."""
    start = {**_MESSAGE, "content": [], "stop_reason": None}
    block = {"index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"index": 0, "delta": {"type": "text_delta", "text": "word "}}
    end = {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": deltas}}
    listed: list[tuple[str, dict[str, Any]]] = [("message_start", {"message": start}), ("content_block_start", block)]
    listed += [("content_block_delta", delta)] * deltas
    listed += [("content_block_stop", {"index": 0}), ("message_delta", end), ("message_stop", {})]
    return [f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode() for name, data in listed]


def cut(chunks: list[bytes], segment: int) -> list[bytes]:
    """The same bytes in chunks of `segment`, wherever an event ends; as they are for 0."""
    if not segment:
        return chunks
    text = b"".join(chunks)
    return [text[at : at + segment] for at in range(0, len(text), segment)]


def answer(case: Case, chunks: list[bytes], request: Any) -> Any:
    """The response to a request of a case."""
    if case.retry and request.headers[RETRY_COUNT] == "0":
        return httpx2.Response(529, headers=_JSON, content=_OVERLOADED)
    if case.stream:
        return httpx2.Response(200, headers=_EVENTS, stream=Chunks(chunks))
    return httpx2.Response(200, headers=_JSON, content=_REPLY)


_REPLY = json.dumps(_MESSAGE).encode()


def _handler(case: Case) -> Callable[[Any], Any]:
    chunks = cut(events(case.deltas), case.segment)

    def handle(request: Any) -> Any:
        return answer(case, chunks, request)

    async def ahandle(request: Any) -> Any:
        return answer(case, chunks, request)

    return ahandle if case.asynchronous else handle


def new_loop() -> asyncio.AbstractEventLoop:
    """The event loop that a worker runs all its asynchronous calls in."""
    return asyncio.new_event_loop()
