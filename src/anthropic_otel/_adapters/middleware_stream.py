"""Follows a stream that a middleware of the SDK builds: while the app reads it, more attempts of its call may be sent.

Rule: nothing of ours stays current between two chunks. The call is current only while the next chunk is being produced,
so that an attempt that is sent for it finds its call. The call does not end before this stream does.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from anthropic_otel._adapters.current import RunningCall, current_call
from anthropic_otel._adapters.http_body import wrapper_class
from anthropic_otel._core.finalizer import finalize, fork_generation
from anthropic_otel._core.held_body import HeldBody
from anthropic_otel._core.semconv import AttemptOutcome


def follow(running: RunningCall, response: Any) -> HeldBody | None:
    """Wraps the body of `response`, so that the call stays open at least until that body has ended.

    It ends when the app has read, closed or dropped it, or reading it raises. `running` is the call. Returns the held
    body. Does nothing and returns `None` if `response` is closed.
    """
    if response.is_closed:
        return None
    stream_class: Any = type(response.stream)
    wrapper = wrapper_class(stream_class, _SyncStream, _AsyncStream, _BothStream)
    held = running.call.hold_body()
    response.stream = wrapper(response.stream, running, held)
    return held


class _Stream:
    """The base of the wrappers of sync and async bodies. Ends `held` when the body ends, fails, is closed or dropped.

    `held` ends as abandoned if the app closes or drops the wrapper before the end of the body. `running` is the call
    that is current while a chunk is produced. An attribute that the wrapper lacks is that of the wrapped body, unless
    its name begins with `__`.
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

    @contextmanager
    def _producing(self) -> Iterator[None]:
        """Returns a context manager for the production of a chunk, in which the call is current.

        An exception that is raised in it ends the held body, as failed, or as cancelled if it is no `Exception`. It is
        not suppressed. The caller must catch a `StopIteration` or `StopAsyncIteration` within.
        """
        try:
            token = current_call.set(self._running)
            try:
                yield
            finally:
                # A coroutine may be closed in another context than it ran in: nothing of ours is current there.
                with suppress(ValueError):
                    current_call.reset(token)
        except BaseException as error:
            self._held.fail(error)
            raise

    def __del__(self) -> None:
        held = self.__dict__.get("_held")
        if held is not None:
            finalize(functools.partial(held.end, AttemptOutcome.ABANDONED), self._created_in)


class _SyncStream(_Stream):
    def __iter__(self) -> Iterator[bytes]:
        chunks = iter(self._body)
        while True:
            with self._producing():
                try:
                    chunk = next(chunks)
                except StopIteration:
                    break
            yield chunk
        self._held.end(AttemptOutcome.COMPLETED)

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
                with self._producing():
                    try:
                        chunk = await chunks.__anext__()
                    except StopAsyncIteration:
                        break
                yield chunk
            self._held.end(AttemptOutcome.COMPLETED)
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
