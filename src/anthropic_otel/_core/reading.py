"""How the app reads one body: when its chunks came, and how long each side waited for the other.

Rule: only the time and the last bytes of a chunk are looked at, and nothing is read that the app does not ask for.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.clock import Clock
from anthropic_otel._core.guard import report
from anthropic_otel._core.sse import (
    EVENT_FIRST_BYTE,
    EVENT_NAME_OFFSET,
    UNSEEN,
    StreamEnd,
    append_tail,
    end_of,
    is_error_event,
)


class Reading:
    """How the app reads one body. Times are nanoseconds of the clock. No method raises.

    - `asked_at`: when the app asked for the next chunk; `None` while it processes one. The body wrappers write it
      directly, which saves a call per chunk.
    - `first_chunk`: when the first chunk came, `None` before.
    - `max_gap`: the longest time that the app waited for a chunk. `consumer_time`: how long the app held the body.
    - `decoding`: whether the body's content decoder is in use. It may have some left when the last chunk has come.
    - `is_message`: whether an event stream must end with `message_stop` to be complete.
    - `end`: how an event stream ended, known after `conclude`; `None` for a body that is none.
    """

    __slots__ = (
        "_got",
        "_tail",
        "asked_at",
        "clock_now",
        "consumer_time",
        "decoding",
        "end",
        "first_chunk",
        "is_message",
        "max_gap",
    )

    def __init__(self, clock: Clock, *, event_stream: bool, is_message: bool) -> None:
        self.clock_now: Final = clock.now
        self.asked_at: int | None = None
        self._got = 0
        self._tail = b"" if event_stream else None
        self.decoding = False
        self.is_message = is_message
        self.end: StreamEnd | None = None
        self.first_chunk: int | None = None
        self.max_gap = 0
        self.consumer_time = 0

    def on_chunk(self, chunk: bytes | None = None) -> bool:
        """A chunk has arrived; from here on the app has it. `None`: its content encoding hides its events.

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
        return chunk is not None and self.on_decoded(chunk)

    def on_decoded(self, chunk: bytes) -> bool:
        """Takes the bytes of chunks that have arrived, with the content encoding undone.

        Returns whether they are an `error` event: the last of its stream, after which older SDKs leave it open.
        """
        tail = self._tail
        if tail is None:
            return False
        try:
            self._tail = tail = append_tail(tail, chunk)
            return (
                tail is chunk
                and len(chunk) > EVENT_NAME_OFFSET
                and chunk[EVENT_NAME_OFFSET] == EVENT_FIRST_BYTE
                and is_error_event(chunk)
            )
        except Exception as error:
            # A transport of the app's own that yields something else than bytes.
            report("Reading.on_decoded", error)
            return False

    def conclude(self, now: int) -> None:
        """Reads off the end of an event stream how it ended, into `end`. Frees what was kept of it.

        The silence before the end counts: where a stream stalls until a timeout, it is the longest one.
        """
        if self.asked_at is not None:
            self.max_gap = max(self.max_gap, now - self.asked_at)
            if self.first_chunk is not None:
                self.consumer_time += self.asked_at - self._got
        tail, self._tail = self._tail, None
        if tail is None:
            return
        # Chunks came and none was seen decoded: the app reads the compressed bytes itself.
        self.end = UNSEEN if not tail and self.first_chunk is not None else end_of(tail)
