"""A stream that a middleware of the SDK has put together: while the app reads it, more attempts of its call are sent.

The rule: nothing of ours stays current between two chunks. The call is current only while the next chunk is being
produced, so that an attempt that is sent for it finds its call; and the call is not over before this stream is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from contextvars import Token
from typing import Any

from anthropic_otel._adapters.http_body import OBSERVED, wrapper_class
from anthropic_otel._core.call import Call
from anthropic_otel._core.finalizer import finalize, process
from anthropic_otel._core.guard import report
from anthropic_otel._core.runtime import current_call


def follow(client: Any, call: Call, result: Any) -> None:
    """Has `call` follow what an SDK method returns, if it is a stream that a middleware has made. Never raises."""
    try:
        if getattr(client, "middleware", None):
            _follow(call, result)
    except Exception as error:
        report("follow", error)


def _follow(call: Call, result: Any) -> None:
    response = getattr(result, "response", None) or getattr(result, "http_response", None)
    if response is None or response.is_closed or OBSERVED in response.extensions:
        return
    stream_class: Any = type(response.stream)
    wrapper = wrapper_class(stream_class, _SyncSpliced, _AsyncSpliced, _BothSpliced)
    response.stream = wrapper(response.stream, call, call.hold())


class _Spliced:
    """What the wrappers of the three kinds of body have in common."""

    def __init__(self, body: Any, call: Call, release: Callable[[], None]) -> None:
        self._body = body
        self._call = call
        self._process = process()
        self._release = release

    def __getattr__(self, name: str) -> Any:
        # What the SDK's own tracing has put on the body below. Never for a name of this class.
        if name.startswith("__") or name in ("_body", "_call", "_release"):
            raise AttributeError(name)
        return getattr(self._body, name)

    def __del__(self) -> None:
        release = self.__dict__.get("_release")
        if release is not None:
            finalize(release, self._process)


class _SyncSpliced(_Spliced):
    def __iter__(self) -> Iterator[bytes]:
        chunks = iter(self._body)
        while True:
            token = current_call.set(self._call)
            try:
                chunk = next(chunks)
            except StopIteration:
                break
            finally:
                _reset(token)
            yield chunk
        self._release()

    def close(self) -> None:
        try:
            self._body.close()
        finally:
            self._release()


class _AsyncSpliced(_Spliced):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._body.__aiter__()
        while True:
            token = current_call.set(self._call)
            try:
                chunk = await chunks.__anext__()
            except StopAsyncIteration:
                break
            finally:
                _reset(token)
            yield chunk
        self._release()

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            self._release()


class _BothSpliced(_SyncSpliced, _AsyncSpliced):
    """For a body that is sync and async at once."""


def _reset(token: Token[Call | None]) -> None:
    with suppress(ValueError):
        current_call.reset(token)
