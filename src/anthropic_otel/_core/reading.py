"""The reading of a body that the app reads itself: when its chunks came, and who waited for whom.

The rule: only the time and the last bytes of a chunk are looked at, never its content, and nothing is read that the app
does not ask for.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.clock import Clock
from anthropic_otel._core.guard import report
from anthropic_otel._core.sse import UNSEEN, StreamEnd, Tail


class Reading:
    """How the app reads one body. Times are nanoseconds of the clock. No method raises.

    `tail` is `None` for a body that is no event stream, `end` is how an event stream ended. `is_message` is whether the
    stream must end with `message_stop` to be complete.
    """

    __slots__ = ("_now", "_since", "_waiting", "consumer_time", "end", "first_chunk", "is_message", "max_gap", "tail")

    def __init__(self, clock: Clock, *, event_stream: bool, is_message: bool) -> None:
        self._now: Final = clock.now
        self._since = 0
        self._waiting = False
        self.tail = Tail() if event_stream else None
        self.is_message = is_message
        self.end: StreamEnd | None = None
        self.first_chunk: int | None = None
        self.max_gap = 0
        self.consumer_time = 0

    # The next two run at every chunk, so nothing is guarded in them that cannot fail.

    def asked(self) -> None:
        """The app asks for the next chunk: from here on the server is waited for."""
        now = self._now()
        if self.first_chunk is not None:
            self.consumer_time += now - self._since
        self._since = now
        self._waiting = True

    def arrived(self, chunk: bytes | None = None) -> bool:
        """A chunk is there: from here on the app has it. `chunk` is left out where a content encoding hides its events.

        Returns whether it is an `error` event, as `decoded` does.
        """
        now = self._now()
        if self.first_chunk is None:
            self.first_chunk = now
        if self._waiting and now - self._since > self.max_gap:
            self.max_gap = now - self._since
        self._since = now
        self._waiting = False
        if chunk is None or self.tail is None:
            return False
        try:
            return self.tail.feed(chunk)
        except Exception as error:
            # A transport of the app's own that yields something else than bytes.
            report("Reading.arrived", error)
            return False

    def decoded(self, chunk: bytes) -> bool:
        """The bytes of chunks that have arrived, with the content encoding undone. Returns whether they are an `error`
        event: the last of its stream, after which older SDKs leave the stream open.
        """
        try:
            return self.tail is not None and self.tail.feed(chunk)
        except Exception as error:
            report("Reading.decoded", error)
            return False

    def conclude(self, now: int) -> None:
        """Reads off the end of an event stream how it ended, into `end`. Frees what was kept of it.

        The silence before the end counts: where a stream stalls until a timeout, it is the longest one.
        """
        if self._waiting:
            self.max_gap = max(self.max_gap, now - self._since)
        tail, self.tail = self.tail, None
        if tail is None:
            return
        # Chunks came and none was seen decoded: the app reads the compressed bytes itself.
        unseen = self.first_chunk is not None and tail.empty
        self.end = UNSEEN if unseen else tail.end()
