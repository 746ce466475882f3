"""Reads an event stream chunk by chunk: what SSE and the frames of AWS have in common.

Rule: what is kept between two chunks is bounded, but for one chunk. It is the beginning of an event, and the events
that came last: if the SDK could not decode an event, it has stopped there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from anthropic_otel._core.stream_end import MAX_LAST, Break, Dispatched, StreamEnd, weightier

NOT_KEPT: Final = b"..."
"""A placeholder for text that was too long to keep. It is not empty, and is no event and no frame."""


class LongPart(Protocol):
    """A whole SSE event, or a whole frame of AWS, that is too long to be kept. Takes its bytes as they come."""

    def feed(self, text: bytes) -> int | None:
        """Takes the next bytes of the body. Returns the index in `text` right behind the end of the event or frame.

        `None` if the event or frame does not end in `text`.
        """
        ...

    def dispatch(self, end: StreamEnd) -> Dispatched | None:
        """Passes what is known of the event, or of the error in the frame, to `end`. Returns what `end` returns.

        To be called once the event or frame has ended.
        """
        ...


Long = TypeVar("Long", bound=LongPart)


class StreamReader(Generic[Long]):
    """Finds out how one event stream ends, from the chunks of its body. No method raises, whatever the bytes are.

    An event is dispatched when its end comes. Here a frame of AWS is an event too.

    - `rest`: the beginning of an event whose end has not come yet, empty between two events. Of one that is too long to
      be kept it is a placeholder or empty.
    - `last`: the text of the events that were dispatched last, all by one chunk; if they have more than `MAX_LAST`
      bytes, of the last of them that fit. An event that is too long to be kept may be missing.
    """

    __slots__ = ("_decided_in", "_end", "_long", "last", "rest")

    def __init__(self, end: StreamEnd) -> None:
        self._end: Final = end
        self.rest = self.last = b""
        self._long: Long | None = None
        self._decided_in: bytes | None = None
        """The `last` that had the first event which decided how the stream ends, `None` before one came.

        It is the same object as `last` until a later chunk dispatches events. `NOT_KEPT` if it was too long to be kept.
        """

    def feed(self, chunk: bytes) -> Dispatched | None:
        """Takes the next chunk. Returns `STOP` if it dispatched the end event, `ERROR` if it dispatched an error.

        `ERROR` for both, `None` for neither.
        """
        if self._long is None:
            self._end.long = False
            return self._take(self.rest + chunk)
        end = self._long.feed(chunk)
        if end is None:
            return None
        decided = self._dispatch_long(self._long)
        if decided is not None:
            self._decided_in = NOT_KEPT
        self.rest, self._long = b"", None
        # The SDK reads no further than an error: whatever follows it was not met.
        return decided if decided is Dispatched.ERROR else weightier(decided, self._take(chunk[end:]))

    def finish(self, *, read_to_end: bool) -> StreamEnd:
        """Returns how the stream ended, and frees the kept text. To be called once, after the last chunk.

        `read_to_end` is whether the app has read the last byte. If not, the SDK may have closed the stream because of
        an event that it could not decode: the events in `last` are decoded to find out. If the app has read it, at most
        what is behind the last event is checked.
        """
        end, found = self._end, self._break_at_end() if read_to_end else self._break()
        end.is_event_stream, end.read_to_end = self._is_event_stream(), read_to_end
        if found is not None:
            end.broke_off(found)
        elif self._decided_in is self.last:
            end.unchecked = True
        # The loop that reads the body may keep the reader a while.
        self.rest = self.last = b""
        self._long = self._decided_in = None
        return end

    def _take(self, text: bytes) -> Dispatched | None:
        """Dispatches the whole events of `text`, which begins where an event does. Keeps the rest for the next chunk.

        Returns the weightiest (`weightier`) of the events that decide how the stream ends, `None` if none does.
        """
        raise NotImplementedError

    def _dispatch_long(self, long: Long) -> Dispatched | None:
        """Dispatches an event that is too long to be kept and has ended.

        Returns `STOP` or `ERROR` if the event decides how the stream ends, else `None`.
        """
        return long.dispatch(self._end)

    def _keep(self, text: bytes, end: int, decided: Dispatched | None, last_of: Callable[[bytes, int], bytes]) -> None:
        """Keeps `text[:end]`, the events that were just dispatched, as `last`.

        If that is longer than `MAX_LAST`, keeps what `last_of(text, end)` returns. `decided` is the weightiest of these
        events, `None` if none decides: the first text with one that does is remembered as `_decided_in`.
        """
        whole = end <= MAX_LAST
        # A slice that is the whole text copies nothing.
        self.last = text[:end] if whole else last_of(text, end)
        if decided is not None and self._decided_in is None:
            self._decided_in = self.last if whole else NOT_KEPT

    def _break(self) -> Break | None:
        """Returns where the SDK met an event that it cannot decode, `None` if no such event is found.

        To be called if the body was not read to its end. Such an event is searched for by `_break_in_last`, with one
        exception: if the end event or an error was dispatched before `last`, or was in a text too long to be kept, the
        search is made only if the stream has both an end event and an error after it.
        """
        if self._decided_in is None or self._decided_in is self.last:
            return self._break_in_last(ended=False)
        return self._break_in_last(ended=True) if self._end.complete and self._end.error is not None else None

    def _break_in_last(self, *, ended: bool) -> Break | None:
        """Returns whether the SDK met an event that it cannot decode before or after the end event; `None` without one.

        It is looked for in `last`, and a frame of AWS also right behind that. `ended` is whether the end event came
        before `last`.
        """
        raise NotImplementedError

    def _break_at_end(self) -> Break | None:
        """Returns where the SDK raises for what is behind the last event of a body that was read to its end.

        `None` if it raises for nothing there.
        """
        return None

    def _is_event_stream(self) -> bool | None:
        """Returns whether the body is an event stream, by its first bytes or by an event that came later.

        `None` if not known, as for an empty body.
        """
        raise NotImplementedError
