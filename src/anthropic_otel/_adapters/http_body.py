"""Wraps the body of a response, so that its attempt ends when the body is read, fails, is closed or is dropped.

Rule: the wrapper passes on every chunk and every exception as it is, reads nothing by itself, and keeps nothing of the
app's alive but the body that it wraps. It is a byte stream of the same kind, of the same library, as that body.

The events of a compressed body cannot be seen in its bytes. So its chunks are looked at as they leave the response's
content decoder, and nothing is decoded twice.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Final

from anthropic_otel._adapters import messages
from anthropic_otel._adapters.content_decoder import ObservedDecoder
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.cause_app import is_of_a_model
from anthropic_otel._core.ending import End
from anthropic_otel._core.errors import is_of_an_event
from anthropic_otel._core.finalizer import finalize, fork_generation
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.raw_response import peer_of, version_of
from anthropic_otel._core.reading import Reading
from anthropic_otel._core.send import Send
from anthropic_otel._core.stack import module_of, stack


def received(send: Send, response: Any) -> bool:
    """Records the response that a send has returned. Returns whether it has a body that the app may still read.

    - A response that is not closed: wraps its body, whose end ends the attempt. Returns `True`.
    - A 2xx with its body in memory though an event stream was asked for, as of a mock: the attempt ends now, as read.
      Returns `True`.
    - Any other closed response, and one that could not be recorded: calls `received_whole` of the send's `source`. So
      the attempt ends now, or if the SDK is still to parse the body, after that. Returns `False`.

    Raises no error of its own.
    """
    attempt, observed, in_memory = send.attempt, False, False
    try:
        headers, extensions, closed = messages.headers_of(response), response.extensions, response.is_closed
        version, stream = extensions.get("http_version"), extensions.get("network_stream")
        content = getattr(response, "_content", None) if closed else None
        send.responded(
            response.status_code,
            headers,
            version_of(version) if isinstance(version, bytes) else None,
            # A reused connection has no trace event with its address.
            peer_of(stream) if stream is not None and attempt.timeline.peer is None else None,
            # The body of a response that has been read within the send.
            content if isinstance(content, bytes) else None,
        )
        if not closed:
            _observe(response, attempt, headers)
            observed = True
        known = attempt.response
        if isinstance(content, bytes) and known is not None and known.is_asked_for_as_stream:
            in_memory = True
            attempt.begin_body().on_chunk(content)
    except Exception as error:
        report("received", error)
    if in_memory:
        attempt.end(End.READ)
    elif not observed:
        send.source.received_whole(attempt)
    return observed or in_memory


def _observe(response: Any, attempt: Attempt, headers: RawHeaders) -> None:
    """Wraps the body of an open `response`, and its decoder if it has a content encoding: these then end the attempt.

    `headers` are those of the response.
    """
    reading = attempt.begin_body()
    encoded = headers.get(b"content-encoding", b"identity").lower() != b"identity"
    stream_class: Any = type(response.stream)
    body = wrapper_class(stream_class, _SyncBody, _AsyncBody, _BothBody)(response.stream, attempt, reading, encoded)
    response.stream = body
    if encoded:
        # A private attribute. But unlike methods put on the response, it is neither pickled nor seen by others.
        response._decoder = ObservedDecoder(response._get_content_decoder(), attempt, reading)


class _Observed:
    """The base of the wrappers of sync and async bodies.

    The attempt ends when the body is read to its end, raises, is closed or is dropped, or at an `error` event in it.
    If a content decoder was used, the attempt does not end when the body is read to its end, nor when it is closed
    after that, but with the decoder's last step (`ObservedDecoder.flush`), or when the body is dropped.

    `encoded` is whether the body has a content encoding. An attribute that the wrapper lacks is that of the wrapped
    body, unless its name begins with `__`.

    The wrapper is the `BodyEnds` of its own iteration: another object would take 170 bytes of each open stream.
    """

    __slots__ = ("_attempt", "_body", "_created_in", "_encoded", "_how", "_reading", "stream_observer")

    def __init__(self, body: Any, attempt: Attempt, reading: Reading, encoded: bool) -> None:
        self._how = End.CLOSED
        self._created_in = fork_generation()
        self._body = body
        self._reading: Final = reading
        self._encoded: Final = encoded
        # The SDK reads it at every event, and mostly there is none. `__getattr__` would take a tenth of its time.
        self.stream_observer = getattr(body, "stream_observer", None)
        # Set last: `__del__` also runs after an interrupted `__init__`.
        self._attempt: Final = attempt

    def __getattr__(self, name: str) -> Any:
        # `elapsed`, and whatever else a library has put on the body below. Never for a name of this class.
        if name.startswith("__") or name in _Observed.__slots__:
            raise AttributeError(name)
        return getattr(self._body, name)

    def __dir__(self) -> Iterable[str]:
        return dir(self._body)

    def body_erred(self) -> None:
        """Ends the attempt as closed, at an `error` event in the body."""
        self._attempt.end(End.CLOSED)

    def body_failed(self, error: BaseException) -> None:
        """Ends the attempt because reading the body raised `error`."""
        self._attempt.fail(error)

    def body_exhausted(self) -> None:
        """Ends the attempt as read, unless a content decoder was used: then the decoder's last step does."""
        self._how = End.READ
        if not self._reading.decoding:
            self._attempt.end(End.READ)

    def _closed(self) -> None:
        """Ends the attempt because the body was closed: before its end as `End.CLOSED`, after it as `End.READ`.

        If the body is closed before its end while an exception is handled, that may be why. If the SDK raised it about
        an event of this very body, the end is `End.UNDECODED`. If a model of the app raised it, into which the SDK was
        parsing the text of this very body, the attempt fails with that exception (`Attempt.fail`).

        After the end of the body, does nothing if a content decoder was used: its last step ends the attempt.
        """
        if self._how is End.CLOSED:
            error, how = sys.exc_info()[1], End.CLOSED
            if is_of_an_event(error) and _was_reading(error, self):
                how = End.UNDECODED
            elif error is not None and is_of_a_model(error) and _was_reading(error, self):
                self._attempt.fail(error)
            self._attempt.end(how)
        elif not self._reading.decoding:
            self._attempt.end(self._how)

    def __del__(self) -> None:
        attempt: Attempt | None = getattr(self, "_attempt", None)
        if attempt is not None and not attempt.ended:
            finalize(functools.partial(attempt.end, self._how), self._created_in)


@guarded(False)
def _was_reading(error: BaseException | None, body: _Observed) -> bool:
    """Returns whether a stream of the SDK that `error` came through was reading `body`, by the variables of its frames.

    `False` for `None`, and on a failure. The app may read the body of another response while `body` is open.
    """
    for frame in stack(error) if error is not None else ():
        # Not of the app's objects, whose properties may do anything.
        if module_of(frame).startswith("anthropic."):
            response = getattr(frame.f_locals.get("self"), "response", None)
            if _has(getattr(response, "stream", None), body, _MAX_DEPTH):
                return True
    return False


def _has(stream: Any, body: _Observed, depth: int) -> bool:
    """Returns whether `stream` is `body`, or has it in an attribute, up to `depth` levels deep.

    The SDK may have wrapped `body` once, for its span. Of each object only the first `_MAX_PARTS` items of its
    `__dict__` are looked at.
    """
    if stream is body or depth == 0:
        return stream is body
    return any(_has(inner, body, depth - 1) for inner in tuple(getattr(stream, "__dict__", {}).values())[:_MAX_PARTS])


_MAX_DEPTH: Final = 3
_MAX_PARTS: Final = 8


class _SyncBody(_Observed):
    __slots__ = ()

    def __iter__(self) -> Iterator[bytes]:
        return self._reading.watch(self._body, self, self._encoded)

    def close(self) -> None:
        try:
            self._body.close()
        finally:
            self._closed()


class _AsyncBody(_Observed):
    __slots__ = ()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._reading.watch_async(self._body, self, self._encoded)

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        finally:
            self._closed()


class _BothBody(_SyncBody, _AsyncBody):
    """The wrapper of a body that is sync and async at once, such as one in memory, or whose kind is not known."""

    __slots__ = ()


@functools.lru_cache(maxsize=32)
def wrapper_class(body: type[Any], sync: type[Any], asynchronous: type[Any], both: type[Any]) -> type[Any]:
    """Returns a wrapper class for bodies of the class `body`: a subclass of `sync`, `asynchronous` or `both`.

    It is a subclass of the same `SyncByteStream` and `AsyncByteStream` of the HTTP library as `body` too, for which the
    library checks. `both` is for a `body` of both kinds or of neither.
    """
    kinds = {cls.__name__: cls for cls in body.__mro__ if cls.__name__ in ("SyncByteStream", "AsyncByteStream")}
    behaviours = {frozenset({"SyncByteStream"}): sync, frozenset({"AsyncByteStream"}): asynchronous}
    return type("ObservedBody", (behaviours.get(frozenset(kinds), both), *kinds.values()), {"__slots__": ()})
