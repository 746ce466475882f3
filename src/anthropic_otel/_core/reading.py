"""Measures how the app reads one body: when its chunks came, and how long each side waited for the other.

Rule: nothing is read that the app does not ask for. A chunk is searched only for what the body's reader needs: how an
event stream ends, the type of an error, the first byte of anything else.
"""

from __future__ import annotations

from typing import Final, Protocol

from anthropic_otel._core.clock import Clock
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.stream_end import UNSEEN, Dispatched, StreamEnd

_ERROR: Final = Dispatched.ERROR
"""A name for speed: before 3.12 a look-up of an enumeration's member runs Python code."""


class BodyReader(Protocol):
    """Finds out from its chunks how an event stream ends. No method raises."""

    def feed(self, chunk: bytes) -> Dispatched | None:
        """Takes the next chunk. Returns the end event or the error that was dispatched in it, else `None`."""
        ...

    def finish(self, *, read_to_end: bool) -> StreamEnd:
        """Returns how the stream ended. Called once. `read_to_end` is whether the app has read the last byte."""
        ...


_BLANKS: Final = 256
"""How many blanks at the end of a chunk are skipped to find the last byte that is none."""
_BLANK: Final = b" \t\r\n\0"
"""The bytes of blanks. In UTF-16 and UTF-32, zeros are a part of each character of JSON."""


class StartOfBody:
    """Keeps the beginning of a body that is no event stream, and its last byte that is not blank.

    `start` is up to `most` bytes long and begins with no blank. `last` is that one byte. Both are empty before a chunk.
    `has_sought` is whether `sought` has come.
    """

    __slots__ = ("_before", "_most", "_sought", "has_sought", "last", "start")

    def __init__(self, most: int, sought: bytes = b"") -> None:
        self._most = most
        self._sought = sought
        self._before = b""
        self.has_sought = not sought
        self.start = b""
        self.last = b""

    def feed(self, chunk: bytes) -> Dispatched | None:
        self.last = chunk[-_BLANKS:].rstrip(_BLANK)[-1:] or self.last
        if len(self.start) < self._most:
            start = self.start + chunk
            # Blanks of UTF-16 and UTF-32 have zeros, and are skipped once the start is decoded.
            self.start = (start if b"\0" in start[:4] else start.lstrip())[: self._most]
        if not self.has_sought:
            text = self._before + chunk
            self.has_sought = self._sought in text
            # It may be cut between two chunks.
            self._before = text[1 - len(self._sought) :]
        return None


class Reading:
    """How the app reads one body. Times are nanoseconds of the clock. No method raises. One thread at a time uses it.

    - `asked_at`: when the app asked for the next chunk; `None` while it processes one. The body wrappers write it
      directly, which saves a call per chunk.
    - `first_chunk`: when the first chunk came, `None` before.
    - `max_gap`: the longest time that the app waited for a chunk.
    - `consumer_time`: the time that the app spent between receiving a chunk and asking for the next one, in total.
    - `decoding`: whether the HTTP library decodes the body's content encoding. Bytes may come of it after the last
      chunk. The body wrappers set it.
    - `seen`: whether `on_decoded` has given the reader bytes.
    - `end`: how an event stream ended, set by `conclude`; `None` for a body of another kind.
    - `start`: the beginning of a body that is no event stream, set by `conclude`; `None` if it could not be seen.
    - `has_sought`: whether what the reader of such a body sought has come, set by `conclude`.
    - `last`: the last byte of such a body that is not blank, if it was read to the end; else empty.
    """

    __slots__ = (
        "_encoded",
        "_got",
        "_reader",
        "asked_at",
        "clock_now",
        "consumer_time",
        "decoding",
        "end",
        "first_chunk",
        "has_sought",
        "last",
        "max_gap",
        "seen",
        "start",
    )

    def __init__(self, clock: Clock, reader: BodyReader | StartOfBody | None) -> None:
        self.clock_now: Final = clock.now
        self.asked_at: int | None = None
        self._got = 0
        self._reader = reader
        self._encoded = False
        self.seen = False
        self.decoding = False
        self.end: StreamEnd | None = None
        self.start: bytes | None = None
        self.last = b""
        self.has_sought = False
        self.first_chunk: int | None = None
        self.max_gap = 0
        self.consumer_time = 0

    def on_chunk(self, chunk: bytes | None = None) -> bool:
        """Records a chunk that has arrived and is about to be returned to the app.

        `chunk` is `None` for one with a content encoding, whose decoded bytes go to `on_decoded`. Returns whether an
        `error` event was dispatched in it: older SDKs leave the stream open then.
        """
        now, asked = self.clock_now(), self.asked_at
        if self.first_chunk is None:
            self.first_chunk = now
        elif asked is not None:
            self.consumer_time += asked - self._got
        if asked is not None:
            self.asked_at = None
            gap = now - asked
            if gap > self.max_gap:
                self.max_gap = gap
        self._got = now
        reader = self._reader
        if chunk is None:
            self._encoded = True
            return False
        if reader is None:
            return False
        try:
            return reader.feed(chunk) is _ERROR
        except Exception as error:
            # A transport of the app yields something else than bytes.
            report("Reading.on_chunk", error)
            return False

    @guarded(False)
    def on_decoded(self, chunk: bytes) -> bool:
        """Records bytes of the body after the HTTP library has decoded their content encoding.

        Returns whether an `error` event was dispatched in them, as `on_chunk` does.
        """
        if self._reader is None:
            return False
        self.seen = True
        return self._reader.feed(chunk) is _ERROR

    def conclude(self, now: int, *, read_to_end: bool) -> None:
        """Sets `end`, or `start` and `last`, and frees what was kept of the body. To be called once, at the time `now`.

        `read_to_end` is whether the app has read the last byte. The wait for a chunk that never came counts as a gap,
        such as that of a stream which stalls until a timeout.
        """
        if self.asked_at is not None:
            self.max_gap = max(self.max_gap, now - self.asked_at)
            if self.first_chunk is not None:
                self.consumer_time += self.asked_at - self._got
        reader, self._reader = self._reader, None
        # If encoded chunks came and none was decoded, the app reads the compressed bytes itself.
        hidden = self._encoded and not self.seen
        if isinstance(reader, StartOfBody):
            came = self.seen or self.first_chunk is not None
            self.start = reader.start if (came or read_to_end) and not hidden else None
            self.last = reader.last if read_to_end else b""
            self.has_sought = reader.has_sought
        elif reader is not None:
            self.end = UNSEEN if hidden else reader.finish(read_to_end=read_to_end)
