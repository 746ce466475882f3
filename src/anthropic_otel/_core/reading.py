"""How the app reads one body: when its chunks came, and how long each side waited for the other.

Rule: nothing is read that the app does not ask for, and no more is looked at of a chunk than its reader does: how an
event stream ends, what an error says, the first byte of anything else.
"""

from __future__ import annotations

from typing import Final, Protocol

from anthropic_otel._core.clock import Clock
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.stream_end import UNSEEN, Dispatched, StreamEnd

_ERROR: Final = Dispatched.ERROR
"""A name for speed: before 3.12 a look-up of an enumeration's member runs Python code."""


class BodyReader(Protocol):
    """What looks at the chunks of a body as they pass. No method raises."""

    def feed(self, chunk: bytes) -> Dispatched | None:
        """Takes the next chunk. Returns the event in it that decides how an event stream ends, if there is one."""
        ...

    def finish(self, *, read_to_end: bool) -> StreamEnd:
        """What the body says of its end. Called once."""
        ...


_BLANKS: Final = 256
"""How many blanks may follow the last byte that counts."""


class StartOfBody:
    """Keeps the beginning of a body that is no event stream, and its last byte that is not blank.

    The beginning is up to `most` bytes long. That of an error is long enough for all of the body.
    """

    __slots__ = ("_most", "last", "start")

    def __init__(self, most: int) -> None:
        self._most = most
        self.start = b""
        self.last = b""

    def feed(self, chunk: bytes) -> Dispatched | None:
        self.last = chunk[-_BLANKS:].rstrip()[-1:] or self.last
        if len(self.start) < self._most:
            self.start = (self.start + chunk).lstrip()[: self._most]
        return None


class Reading:
    """How the app reads one body. Times are nanoseconds of the clock. No method raises.

    - `asked_at`: when the app asked for the next chunk; `None` while it processes one. The body wrappers write it
      directly, which saves a call per chunk.
    - `first_chunk`: when the first chunk came, `None` before.
    - `max_gap`: the longest time that the app waited for a chunk. `consumer_time`: how long the app held the body.
    - `decoding`: whether the body's content decoder is in use. It may have some left when the last chunk has come.
    - `seen`: whether the reader has got bytes with their content encoding undone.
    - `end`: how an event stream ended, known after `conclude`; `None` for a body that is none.
    - `start`: the beginning of another body, known after `conclude`; `None` if it was not to be seen.
    - `last`: its last byte, if it was read to the end; else nothing.
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
        self.first_chunk: int | None = None
        self.max_gap = 0
        self.consumer_time = 0

    def on_chunk(self, chunk: bytes | None = None) -> bool:
        """A chunk has arrived and goes to the app. It is `None` if its content encoding hides its events.

        Returns whether the stream has failed with it, as `on_decoded` does. Runs at every chunk.
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
            # A transport of the app's own that yields something else than bytes.
            report("Reading.on_chunk", error)
            return False

    @guarded(False)
    def on_decoded(self, chunk: bytes) -> bool:
        """Takes the bytes of chunks that have arrived, with the content encoding undone.

        Returns whether the stream has failed with them: older SDKs leave it open after an `error` event.
        """
        if self._reader is None:
            return False
        self.seen = True
        return self._reader.feed(chunk) is _ERROR

    def conclude(self, now: int, *, read_to_end: bool) -> None:
        """Asks the reader how an event stream ended, for `end`. Frees what was kept of the body.

        The silence before the end counts: where a stream stalls until a timeout, it is the longest one.
        """
        if self.asked_at is not None:
            self.max_gap = max(self.max_gap, now - self.asked_at)
            if self.first_chunk is not None:
                self.consumer_time += self.asked_at - self._got
        reader, self._reader = self._reader, None
        # Where encoded chunks came and none was seen decoded, the app reads the compressed bytes itself.
        hidden = self._encoded and not self.seen
        if isinstance(reader, StartOfBody):
            came = self.seen or self.first_chunk is not None
            self.start = reader.start if (came or read_to_end) and not hidden else None
            self.last = reader.last if read_to_end else b""
        elif reader is not None:
            self.end = UNSEEN if hidden else reader.finish(read_to_end=read_to_end)
