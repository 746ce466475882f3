"""The reading of a body that the app reads itself: when its chunks came, and who waited for whom.

The rule: only the time and the last bytes of a chunk are looked at, never its content, and nothing is read that the app
does not ask for.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.clock import Clock
from anthropic_otel._core.guard import report
from anthropic_otel._core.sse import NAME, UNSEEN, E, StreamEnd, end_of, is_error_event, kept


class Reading:
    """How the app reads one body. Times are nanoseconds of the clock. No method raises.

    `tail` is `None` for a body that is no event stream, `end` is how an event stream ended. `is_message` is whether the
    stream must end with `message_stop` to be complete.
    """

    __slots__ = ("_got", "asked_at", "consumer_time", "end", "first_chunk", "is_message", "max_gap", "now", "tail")

    def __init__(self, clock: Clock, *, event_stream: bool, is_message: bool) -> None:
        self.now: Final = clock.now
        self.asked_at: int | None = None
        """When the app has asked for the chunk that the server is waited for, `None` while the app has the last one.
        Whoever hands on the chunks writes it, as a method would be one more call at each of them."""
        self._got = 0
        self.tail = b"" if event_stream else None
        self.is_message = is_message
        self.end: StreamEnd | None = None
        self.first_chunk: int | None = None
        self.max_gap = 0
        self.consumer_time = 0

    # Runs at every chunk, so nothing is guarded in it that cannot fail.

    def arrived(self, chunk: bytes | None = None) -> bool:
        """A chunk is there: from here on the app has it. `chunk` is left out where a content encoding hides its events.

        Returns whether it is an `error` event, as `decoded` does.
        """
        now, asked = self.now(), self.asked_at
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
        return chunk is not None and self.decoded(chunk)

    def decoded(self, chunk: bytes) -> bool:
        """The bytes of chunks that have arrived, with the content encoding undone. Returns whether they are an `error`
        event: the last of its stream, after which older SDKs leave the stream open.
        """
        tail = self.tail
        if tail is None:
            return False
        try:
            self.tail = tail = kept(tail, chunk)
            # Not again what has come before, and one function less for all that is no error.
            return tail is chunk and len(chunk) > NAME and chunk[NAME] == E and is_error_event(chunk)
        except Exception as error:
            # A transport of the app's own that yields something else than bytes.
            report("Reading.decoded", error)
            return False

    def conclude(self, now: int) -> None:
        """Reads off the end of an event stream how it ended, into `end`. Frees what was kept of it.

        The silence before the end counts: where a stream stalls until a timeout, it is the longest one.
        """
        if self.asked_at is not None:
            self.max_gap = max(self.max_gap, now - self.asked_at)
            if self.first_chunk is not None:
                self.consumer_time += self.asked_at - self._got
        tail, self.tail = self.tail, None
        if tail is None:
            return
        # Chunks came and none was seen decoded: the app reads the compressed bytes itself.
        self.end = UNSEEN if not tail and self.first_chunk is not None else end_of(tail)
