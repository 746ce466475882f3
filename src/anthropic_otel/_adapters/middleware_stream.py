"""Follows a stream that a middleware of the SDK builds: while the app reads it, more attempts of its call may be sent.

Rule: nothing of ours stays current between two chunks. The call is current only while the next chunk is being produced,
so that an attempt that is sent for it finds its call. The call does not end before this stream does.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextvars import Token
from types import TracebackType
from typing import Any, Final

from anthropic_otel._adapters.current import RunningCall, current_call
from anthropic_otel._adapters.http_body import wrapper_class
from anthropic_otel._core.finalizer import finalize, fork_generation
from anthropic_otel._core.held_body import HeldBody
from anthropic_otel._core.semconv import AttemptOutcome


def follow(running: RunningCall, response: Any) -> HeldBody | None:
    """Wraps the body of `response`, so that the call stays open until the app has read, closed or dropped that body.

    `running` is the call. Returns the held body; `None`, and does nothing, if `response` is closed.
    """
    if response.is_closed:
        return None
    stream_class: Any = type(response.stream)
    wrapper = wrapper_class(stream_class, _SyncStream, _AsyncStream, _BothStream)
    held = running.call.hold_body()
    response.stream = wrapper(response.stream, running, held)
    return held


class _Stream:
    """The base of the wrappers of sync and async bodies. `held` ends when the body ends, fails, is closed or dropped.

    It ends as abandoned if the app closes or drops the body before its end. `running` is the call that is current while
    a chunk is produced. An attribute that the wrapper lacks is that of the wrapped body, unless its name begins with
    `__`.
    """

    def __init__(self, body: Any, running: RunningCall, held: HeldBody) -> None:
        self._body: Final = body
        self._running: Final = running
        self._created_in: Final = fork_generation()
        self._held: Final = held

    def __getattr__(self, name: str) -> Any:
        # For attributes that the SDK's own tracing has put on the body. Never for a name of this class.
        if name.startswith("__") or name in ("_body", "_running", "_held", "_created_in"):
            raise AttributeError(name)
        return getattr(self._body, name)

    def __del__(self) -> None:
        held = self.__dict__.get("_held")
        if held is not None:
            finalize(functools.partial(held.end, AttemptOutcome.ABANDONED), self._created_in)


class _Producing:
    """A context manager around the production of one chunk: within it the call is current.

    An exception ends the held body: as completed for `StopIteration` and `StopAsyncIteration`, as cancelled for what is
    no `Exception`, else as failed. The exception goes on.
    """

    __slots__ = ("_stream", "_token")

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream
        self._token: Token[RunningCall | None] | None = None

    def __enter__(self) -> None:
        self._token = current_call.set(self._stream._running)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            try:
                current_call.reset(self._token)
            except ValueError:
                self._token = None
        if error is None:
            return
        if isinstance(error, StopIteration | StopAsyncIteration):
            self._stream._held.end(AttemptOutcome.COMPLETED)
        else:
            self._stream._held.fail(error)


class _SyncStream(_Stream):
    def __iter__(self) -> Iterator[bytes]:
        chunks = iter(self._body)
        while True:
            try:
                with _Producing(self):
                    chunk = next(chunks)
            except StopIteration:
                return
            yield chunk

    def close(self) -> None:
        try:
            self._body.close()
        finally:
            self._held.end(AttemptOutcome.ABANDONED)


class _AsyncStream(_Stream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._body.__aiter__()
        try:
            while True:
                try:
                    with _Producing(self):
                        chunk = await chunks.__anext__()
                except StopAsyncIteration:
                    return
                yield chunk
        finally:
            # Else the event loop closes it later, in another task.
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            self._held.end(AttemptOutcome.ABANDONED)


class _BothStream(_SyncStream, _AsyncStream):
    """The wrapper of a body that is sync and async at once, or whose kind is not known."""
