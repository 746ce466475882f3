"""Measures how the app reads one body: when its chunks came, and how long each side waited for the other.

Rule: nothing is read that the app does not ask for, and a chunk is looked at only as the body's reader needs it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from anthropic_otel._core.event_stream import AFTER_DELTA, CR, DATA, DELTA, NEWLINE, EventStreamReader
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.start_of_body import StartOfBody
from anthropic_otel._core.stream_end import Dispatched, StreamEnd
from anthropic_otel._core.stream_reader import StreamReader

_SECOND: Final = 1e9
_ERROR: Final = Dispatched.ERROR
"""A name for speed: before 3.12 a look-up of an enumeration's member runs Python code."""


class BodyEnds(Protocol):
    """Receives how a watched body ends. No method raises an error of its own.

    If the app stops reading before the end, neither `body_exhausted` nor `body_failed` is called. `body_erred` is
    called at each chunk that completes an `error` event, as the app may read on.
    """

    def body_exhausted(self) -> None:
        """Called when the app has asked for a chunk after the last one."""
        ...

    def body_failed(self, error: BaseException) -> None:
        """Called when reading has raised `error`, which is raised on."""
        ...

    def body_erred(self) -> None:
        """Called before the chunk is yielded that completes an `error` event: older SDKs leave the stream open then."""
        ...


@dataclass(slots=True, eq=False, repr=False)
class Reading:
    """How the app reads one body. No method raises an error of its own. Not for several threads at once.

    It is made with a clock's function `seconds`, and with the reader that is given the body's chunks: `None` for a body
    in which nothing matters. What `conclude` sets is empty, 0, `False` or `None` before.

    - `clock_now`: returns the time of the clock in seconds.
    - `asked_at`: that time when the app asked for the next chunk; `None` before the first, and while it processes one.
    - `first_chunk`: when the first chunk came, in nanoseconds of the clock; `None` before.
    - `max_gap`: the longest time that the app waited for a chunk or for the end of the body, in nanoseconds. Set by
      `conclude`.
    - `consumer_time`: the time that the app spent between receiving a chunk and asking for the next one, in total, in
      nanoseconds. Set by `conclude`.
    - `decoding`: whether the HTTP library has begun to decode the body's content encoding. It may yield bytes after the
      last chunk. `ObservedDecoder` sets it.
    - `seen`: whether `on_decoded` has given the reader a chunk, be it an empty one.
    - `end`: what `finish` of a `StreamReader` has returned; `None` with another reader. Set by `conclude`.
    - `start`: the `start` of a `StartOfBody`; `None` with another reader, if it could not be seen, and if the app read
      nothing of the body and not to its end. Set by `conclude`.
    - `has_sought`: what `finish` of a `StartOfBody` has returned. Set by `conclude`.
    - `last`: the `last` of a `StartOfBody` if the app has read the body to its end; else empty. Set by `conclude`.
    """

    clock_now: Callable[[], float]
    _reader: StreamReader[Any] | StartOfBody | None
    _events: EventStreamReader | None = None
    """The reader if it is one of server-sent events, and the next chunk begins an event; else, and at first, `None`."""
    asked_at: float | None = None
    first_chunk: int | None = None
    _got: float = 0.0
    """When the last chunk came."""
    _waited: float = 0.0
    """How long the app waited for all chunks after the first."""
    _longest: float = -1.0
    """The longest wait for a chunk so far, less than any before the first."""
    _encoded: bool = False
    """Whether chunks with a content encoding came."""
    decoding: bool = False
    seen: bool = False
    max_gap: int = 0
    consumer_time: int = 0
    end: StreamEnd | None = None
    start: bytes | None = None
    has_sought: bool = False
    last: bytes = b""

    def watch(self, body: Iterable[bytes], ends: BodyEnds, encoded: bool) -> Iterator[bytes]:
        """Yields the chunks of `body` unchanged, and records each. Raises what `body` raises, and nothing of its own.

        Reports to `ends` how `body` ends. `encoded` is whether the chunks have a content encoding. Then only their
        times are recorded, and the caller must pass their decoded bytes to `on_decoded`.
        """
        seconds, events = self.clock_now, self._events
        try:
            self.asked_at = asked = seconds()
            for chunk in body:
                # Up to the next one: the same as in `watch_async`, without a call for a delta, which would take a tenth
                # more. `on_chunk` does the same in the plain way.
                self._got = now = seconds()
                gap = now - asked
                self._waited += gap
                if gap > self._longest:
                    self._lengthen(gap, now)
                try:
                    if (
                        events is not None
                        and DELTA < chunk < AFTER_DELTA
                        and chunk[-1] == NEWLINE
                        and chunk[-2] == NEWLINE
                        and NEWLINE not in chunk[DATA]
                        and CR not in chunk
                    ):
                        events.last = chunk
                    else:
                        if self._is_error(chunk, encoded):
                            ends.body_erred()
                        events = self._events
                except Exception as error:
                    # A transport of the app yields something else than bytes.
                    report("Reading.watch", error)
                self.asked_at = None
                yield chunk
                self.asked_at = asked = seconds()
        except GeneratorExit:
            # The app has stopped reading. The body is still open.
            raise
        except BaseException as error:
            ends.body_failed(error)
            raise
        ends.body_exhausted()

    async def watch_async(self, body: AsyncIterable[bytes], ends: BodyEnds, encoded: bool) -> AsyncIterator[bytes]:
        """Does what `watch` does, for an async `body`. If that makes an async generator, closes it, in this task."""
        seconds, events = self.clock_now, self._events
        chunks = body.__aiter__()
        try:
            try:
                self.asked_at = asked = seconds()
                async for chunk in chunks:
                    self._got = now = seconds()
                    gap = now - asked
                    self._waited += gap
                    if gap > self._longest:
                        self._lengthen(gap, now)
                    try:
                        if (
                            events is not None
                            and DELTA < chunk < AFTER_DELTA
                            and chunk[-1] == NEWLINE
                            and chunk[-2] == NEWLINE
                            and NEWLINE not in chunk[DATA]
                            and CR not in chunk
                        ):
                            events.last = chunk
                        else:
                            if self._is_error(chunk, encoded):
                                ends.body_erred()
                            events = self._events
                    except Exception as error:
                        report("Reading.watch", error)
                    self.asked_at = None
                    yield chunk
                    self.asked_at = asked = seconds()
            finally:
                # Else the event loop closes it later, in another task.
                if isinstance(chunks, AsyncGenerator):
                    await chunks.aclose()
        except GeneratorExit:
            raise
        except BaseException as error:
            ends.body_failed(error)
            raise
        ends.body_exhausted()

    def on_chunk(self, chunk: bytes) -> bool:
        """Records a decoded chunk that does not pass `watch`, such as a whole body in memory, when the app gets it.

        Returns whether it completes an `error` event; `False` for a body in which nothing matters, and on a failure.
        """
        self._got = now = self.clock_now()
        gap = now - self.asked_at if self.asked_at is not None else 0.0
        self.asked_at = None
        self._waited += gap
        if gap > self._longest:
            self._lengthen(gap, now)
        try:
            return self._is_error(chunk, encoded=False)
        except Exception as error:
            report("Reading.on_chunk", error)
            return False

    def _lengthen(self, gap: float, now: float) -> None:
        """Records the first wait for a chunk, or one that is longer than all before: `gap`. The chunk came at `now`.

        Both are in seconds. For the first chunk it also sets `first_chunk`.
        """
        self._longest = gap
        if self.first_chunk is None:
            self.first_chunk = round(now * _SECOND)
            self._waited = 0.0

    def _is_error(self, chunk: bytes, encoded: bool) -> bool:
        """Gives a chunk to the reader. Returns whether it completes an `error` event, `False` without a reader.

        One that is `encoded` is not given: it is only noted whether it has any bytes, and the result is `False`. May
        raise for a chunk that is no bytes, as a transport of the app may yield.
        """
        if encoded:
            self._encoded = self._encoded or bool(chunk)
            return False
        reader = self._reader
        if reader is None:
            return False
        dispatched = reader.feed(chunk)
        self._events = reader if isinstance(reader, EventStreamReader) and not reader.rest else None
        return dispatched is _ERROR

    @guarded(False)
    def on_decoded(self, chunk: bytes) -> bool:
        """Records bytes of the body after the HTTP library has decoded their content encoding.

        Returns whether they complete an `error` event. For a body in which nothing matters, and after `conclude`, does
        nothing and returns `False`.
        """
        if self._reader is None:
            return False
        self.seen = True
        return self._reader.feed(chunk) is _ERROR

    def conclude(self, now: int, *, read_to_end: bool) -> None:
        """Sets the attributes that are described as set by it, and drops the reader. To be called once.

        `now` is the clock's time in nanoseconds, `read_to_end` whether the app has read the last byte. The last wait
        counts as a gap too, as that for a chunk which did not come before a timeout.
        """
        asked, longest = self.asked_at, self._longest
        if asked is not None:
            longest = max(longest, now / _SECOND - asked)
        self.max_gap = max(round(longest * _SECOND), 0)
        if self.first_chunk is not None:
            # The app has waited for a chunk or processed one since the first came.
            last = self._got if asked is None else asked
            self.consumer_time = max(round((last - self._waited) * _SECOND) - self.first_chunk, 0)
        reader, self._reader, self._events = self._reader, None, None
        # If encoded chunks came and none was decoded, the app reads the compressed bytes itself. What is cut short may
        # have been decoded into nothing.
        hidden = self._encoded and not (self.seen or (self.decoding and read_to_end))
        if isinstance(reader, StartOfBody):
            came = self.seen or self.first_chunk is not None
            self.start = reader.start if (came or read_to_end) and not hidden else None
            self.last = reader.last if read_to_end else b""
            self.has_sought = reader.finish(read_to_end=read_to_end)
        elif reader is not None:
            self.end = StreamEnd(None) if hidden else reader.finish(read_to_end=read_to_end)
