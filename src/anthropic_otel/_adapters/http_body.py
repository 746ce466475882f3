"""The body of a response, wrapped so that its attempt learns when the app has read it, closed it or dropped it.

The rule: the wrapper hands on every chunk and every exception as it is, reads nothing by itself, and keeps alive no
more than the body that it wraps. It is a byte stream of the same kind, of the same library, as the body it stands for.

Where a body is compressed its events are not to be seen in its bytes; then the decoded chunks are looked at as they
pass the response's `iter_bytes`, so that nothing is decoded twice.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any, Final

from anthropic_otel._core.attempt import Attempt, End
from anthropic_otel._core.finalizer import finalize, process
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.reading import Reading

OBSERVED: Final = "anthropic_otel.observed"
"""The response extension that says that a response's body is that of an attempt."""

_EVENT_STREAMS: Final = (b"text/event-stream", b"application/vnd.amazon.eventstream")


def observe(response: Any, attempt: Attempt, headers: RawHeaders) -> bool:
    """Puts a wrapper around the body of an open `response`, which is to end the attempt. Returns `True`."""
    event_stream = headers.get(b"content-type", b"").lower().startswith(_EVENT_STREAMS)
    reading = attempt.read(event_stream=event_stream, is_message=event_stream and attempt.is_message)
    encoded = headers.get(b"content-encoding", b"identity").lower() != b"identity"
    stream_class: Any = type(response.stream)
    wrapper = wrapper_class(stream_class, _SyncBody, _AsyncBody, _BothBody)
    body = wrapper(response.stream, attempt, reading, encoded)
    response.stream = body
    response.extensions[OBSERVED] = True
    if encoded:
        _look_at_decoded(response, body)
    return True


class _Observed:
    """What the wrappers of the three kinds of body have in common."""

    __slots__ = (
        "_attempt",
        "_body",
        "_encoded",
        "_how",
        "_process",
        "_reading",
        "decoding",
        "ends_in_decoder",
        "stream_observer",
    )

    def __init__(self, body: Any, attempt: Attempt, reading: Reading, encoded: bool) -> None:
        self._how = End.CLOSED
        self._process = process()
        # Last of what `__del__` needs, as an interrupted `__init__` is finalized too.
        self._attempt = attempt
        self._body = body
        self._reading = reading
        self._encoded = encoded
        self.ends_in_decoder = False
        self.decoding = False
        # What the SDK asks its response's body for at every event. Mostly there is none, and it took 2 µs each time to
        # find that out by `__getattr__`.
        self.stream_observer = getattr(body, "stream_observer", None)

    def __getattr__(self, name: str) -> Any:
        # `elapsed`, and whatever else a library has put on the body below. Never for a name of this class.
        if name.startswith("__") or name in _Observed.__slots__:
            raise AttributeError(name)
        return getattr(self._body, name)

    def exhausted(self) -> None:
        """The last chunk has been handed on; the decoder, if there is one in use, may still have some left."""
        self._how = End.READ
        if not self.ends_in_decoder:
            self._attempt.end(End.READ)

    def closed(self) -> None:
        """The body is closed: by its reader at the end, by the SDK before a retry, or by the app.

        Within the decoder it is closed because that is done, or has failed: it will tell.
        """
        if self.decoding:
            return
        if self._how is End.CLOSED or not self.ends_in_decoder:
            self._attempt.end(self._how)

    def failed(self, error: BaseException) -> None:
        self._attempt.end(End.RAISED, error)

    def __del__(self) -> None:
        attempt: Attempt | None = getattr(self, "_attempt", None)
        if attempt is not None and not attempt.ended:
            finalize(functools.partial(attempt.end, self._how), self._process)


class _SyncBody(_Observed):
    __slots__ = ()

    def __iter__(self) -> Iterator[bytes]:
        reading, encoded, now = self._reading, self._encoded, self._reading.now
        try:
            reading.asked_at = now()
            for chunk in self._body:
                if reading.arrived(None if encoded else chunk):
                    self._attempt.end(End.CLOSED)
                yield chunk
                reading.asked_at = now()
        except GeneratorExit:
            # The app reads no further. The body is open until it is closed or dropped, and so is the attempt.
            raise
        except BaseException as error:
            self.failed(error)
            raise
        self.exhausted()

    def close(self) -> None:
        try:
            self._body.close()
        finally:
            self.closed()


class _AsyncBody(_Observed):
    __slots__ = ()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        reading, encoded, now = self._reading, self._encoded, self._reading.now
        chunks = self._body.__aiter__()
        try:
            reading.asked_at = now()
            async for chunk in chunks:
                if reading.arrived(None if encoded else chunk):
                    self._attempt.end(End.CLOSED)
                yield chunk
                reading.asked_at = now()
        except GeneratorExit:
            raise
        except BaseException as error:
            self.failed(error)
            raise
        finally:
            # In the task that read it; otherwise the event loop closes it later, in a task of its own.
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
        self.exhausted()

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            self.closed()


class _BothBody(_SyncBody, _AsyncBody):
    """For a body that is sync and async at once, as one that is in memory."""

    __slots__ = ()


@functools.lru_cache(maxsize=32)
def wrapper_class(body: type[Any], sync: type[Any], asynchronous: type[Any], both: type[Any]) -> type[Any]:
    """The class to wrap bodies of the class `body` with: of the byte streams that `body` is one of, with our behaviour.

    The libraries check for their own byte streams, so a wrapper has to be one, and of the same kind.
    """
    kinds = {cls.__name__: cls for cls in body.__mro__ if cls.__name__ in ("SyncByteStream", "AsyncByteStream")}
    behaviours = {frozenset({"SyncByteStream"}): sync, frozenset({"AsyncByteStream"}): asynchronous}
    return type("ObservedBody", (behaviours.get(frozenset(kinds), both), *kinds.values()), {"__slots__": ()})


# -- compressed bodies -------------------------------------------------------------------------------------------------


def _look_at_decoded(response: Any, body: Any) -> None:
    """Passes the chunks of `response.iter_bytes` and `aiter_bytes` by the reading, as long as the body is open.

    The functions hold both weakly: a cycle would leave a dropped response to the garbage collector.
    """
    response_ref, body_ref = weakref.ref(response), weakref.ref(body)

    def iter_bytes(chunk_size: int | None = None) -> Iterator[bytes]:
        return _decoded(response_ref(), body_ref(), chunk_size)

    def aiter_bytes(chunk_size: int | None = None) -> AsyncIterator[bytes]:
        return _adecoded(response_ref(), body_ref(), chunk_size)

    response.iter_bytes, response.aiter_bytes = iter_bytes, aiter_bytes


def _decoded(response: Any, body: Any, chunk_size: int | None) -> Iterator[bytes]:
    _restore(response)
    body.ends_in_decoder = body.decoding = True
    try:
        for chunk in type(response).iter_bytes(response, chunk_size):
            if body._reading.decoded(chunk):
                body._attempt.end(End.CLOSED)
            body.decoding = False
            yield chunk
            body.decoding = True
    except GeneratorExit:
        raise
    except BaseException as error:
        body.failed(error)
        raise
    finally:
        body.decoding = False
    body._attempt.end(End.READ)


async def _adecoded(response: Any, body: Any, chunk_size: int | None) -> AsyncIterator[bytes]:
    _restore(response)
    body.ends_in_decoder = body.decoding = True
    chunks = type(response).aiter_bytes(response, chunk_size)
    try:
        async for chunk in chunks:
            if body._reading.decoded(chunk):
                body._attempt.end(End.CLOSED)
            body.decoding = False
            yield chunk
            body.decoding = True
    except GeneratorExit:
        raise
    except BaseException as error:
        body.failed(error)
        raise
    finally:
        body.decoding = False
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    body._attempt.end(End.READ)


def _restore(response: Any) -> None:
    """A body is read once: from here on the response is as it was, so that it can be pickled."""
    response.__dict__.pop("iter_bytes", None)
    response.__dict__.pop("aiter_bytes", None)
