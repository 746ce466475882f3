"""Cancellations and interrupts at chosen points: at every `await` that an app waits in, at every line of the library.

Rule: a point is a number that is counted from the start of the program, so that a program of `n` points is
interrupted in `n` runs, each time somewhere else, and the same in every run.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeVar

import anthropic

import anthropic_otel
from reliability.sdk_http import httpx

T = TypeVar("T")

ALONE: Final[dict[str, Any]] = {"open_telemetry": False} if hasattr(anthropic.Anthropic, "open_telemetry") else {}
"""The options of a client whose SDK makes no spans, so that what is seen is the library's."""

# -- a transport that waits a known number of times --------------------------------------------------------------------

MESSAGE: Final[dict[str, Any]] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-8",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
_EVENTS: Final = (
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
)
CHUNKS: Final = tuple(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in _EVENTS)


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that waits before each chunk and while it is closed."""

    def __init__(self, chunks: tuple[bytes, ...], closed: Callable[[], None]) -> None:
        self._chunks = chunks
        self._closed = closed

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            await asyncio.sleep(0)
            yield chunk

    def close(self) -> None:
        self._closed()

    async def aclose(self) -> None:
        self._closed()
        await asyncio.sleep(0)


class Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers each request with the next of `statuses`, the last one for ever. Counts the bodies that are open."""

    def __init__(self, *statuses: int) -> None:
        self._all = statuses
        self._statuses = list(statuses)
        self.requests: list[Any] = []
        self.open = 0

    def restart(self) -> None:
        """Begins with the first status again."""
        self._statuses = list(self._all)

    def _response(self, request: Any) -> Any:
        self.requests.append(request)
        status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
        if status != 200:
            return self._made(status, "application/json", (b'{"type":"error","error":{"type":"api_error"}}',))
        if json.loads(request.content).get("stream"):
            return self._made(status, "text/event-stream", CHUNKS)
        return self._made(status, "application/json", (json.dumps(MESSAGE).encode(),))

    def _made(self, status: int, content_type: str, chunks: tuple[bytes, ...]) -> Any:
        self.open += 1
        headers = {"content-type": content_type, "retry-after-ms": "1"}
        return httpx.Response(status, headers=headers, stream=Body(chunks, self._close))

    def _close(self) -> None:
        self.open -= 1

    def handle_request(self, request: Any) -> Any:
        return self._response(request)

    async def handle_async_request(self, request: Any) -> Any:
        await asyncio.sleep(0)
        return self._response(request)


def client(transport: Transport, *, asynchronous: bool = False, **options: Any) -> Any:
    """An SDK client on that transport."""
    options = {"api_key": "none", "base_url": "http://api.test", "max_retries": 1, **options}
    if asynchronous:
        return anthropic.AsyncAnthropic(http_client=httpx.AsyncClient(transport=transport), **options)
    return anthropic.Anthropic(http_client=httpx.Client(transport=transport), **options)


# -- cancelled at the nth await ----------------------------------------------------------------------------------------


@types.coroutine
def cancelled_at(point: int, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, tuple[Any, int]]:
    """Awaits `work`, and cancels the task while it waits in its `point`th await, counted from 1.

    Returns the result and how many awaits there were.
    """
    waits = 0
    try:
        waited_for = work.send(None)
        while True:
            waits += 1
            if waits == point:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                sent = yield waited_for
            except BaseException as error:
                waited_for = work.throw(error)
            else:
                waited_for = work.send(sent)
    except StopIteration as stop:
        return stop.value, waits


# -- interrupted at the nth line ---------------------------------------------------------------------------------------

_LIBRARY: Final = str(Path(anthropic_otel.__file__).parent / "_")


class Interrupt(KeyboardInterrupt):
    """An interrupt that a test sent, and nobody else."""


class SoftTimeLimit(Exception):
    """What a task queue's signal handler raises in a task that takes too long."""


def interrupt() -> None:
    """Raises what a thread is interrupted by."""
    raise Interrupt


def time_out() -> None:
    """Sends the signal whose handler `handling_time_outs` has set."""
    signal.raise_signal(signal.SIGUSR1)


@contextmanager
def handling_time_outs() -> Iterator[None]:
    """The handler of SIGUSR1 raises `SoftTimeLimit`, as that of a task queue does."""

    def handler(number: int, frame: FrameType | None) -> None:
        raise SoftTimeLimit

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def _in_finalizer(frame: FrameType) -> bool:
    at: FrameType | None = frame
    while at is not None and at.f_code.co_name != "__del__":
        at = at.f_back
    return at is not None


class Lines:
    """Counts the lines of the library that a thread runs, and calls `act`, which raises, before the `point`th."""

    def __init__(self, point: int, act: Callable[[], None]) -> None:
        self.point = point
        self.act = act
        self.count = 0
        self.function = ""

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        # A finalizer is not interrupted: Python prints what is raised in it or below it, and goes on.
        if not frame.f_code.co_filename.startswith(_LIBRARY) or (event == "call" and _in_finalizer(frame)):
            return None
        if event == "line":
            self.count += 1
            if self.count == self.point:
                self.function = frame.f_code.co_name
                self.act()
        return self


@contextmanager
def interrupted_at(point: int, act: Callable[[], None] = interrupt) -> Iterator[Lines]:
    """Calls `act` before the `point`th line of the library that the block runs, counted from 1."""
    lines = Lines(point, act)
    before = sys.gettrace()
    sys.settrace(lines)
    try:
        yield lines
    finally:
        sys.settrace(before)


def apart(work: Callable[..., T], *arguments: Any) -> T:
    """What `work` returns, which is interrupted, and leaves nothing of that to later tests.

    Interrupted where an `except` begins, Python goes on to take its exception for the one that is being handled, and so
    for the context of all that is raised later. It keeps that by generator, and forgets it with this one.
    """

    def run() -> Iterator[T]:
        yield work(*arguments)

    return next(run())
