"""Reads how an SSE stream ends, from its chunks.

Rule: the line endings are those of the SDK's decoder: LF, CRLF and CR. Each is replaced by a newline before a text is
split into events. So an event ends at two newlines, wherever the chunks are cut.

A stream has hundreds of `content_block_delta` events, which decide nothing. So what plainly decides nothing is not
parsed: a chunk that is one of them, events that are named as those of content blocks, and whole events without any word
of one that decides, as where a gateway names every event `message`.

A single delta, which has one line of data, is recognized by operators, as methods of `bytes` take twice their time.
What it begins with is compared with two bounds, and what it ends with byte by byte: slices take twice as long.
"""

from __future__ import annotations

import codecs
from typing import Final

from anthropic_otel._core.event_json import known_error
from anthropic_otel._core.event_text import break_in, fields_of
from anthropic_otel._core.long_event import LongEvent
from anthropic_otel._core.stream_end import MAX_KEPT, MAX_LAST, Break, Dispatched, StreamEnd, weightier
from anthropic_otel._core.stream_reader import NOT_KEPT, StreamReader

DELTA: Final = b"event: content_block_delta\nd"
AFTER_DELTA: Final = b"event: content_block_delta\ne"
"""A text that begins with `DELTA` and is longer is between `DELTA` and this one, and no other text is."""
DATA: Final = slice(len(DELTA), -2)
"""The part of a single delta from behind `DELTA` up to its last line ending and blank line."""
_DELTA_WITH_CRLF: Final = b"event: content_block_delta\r\nd"
CR: Final = ord("\r")
NEWLINE: Final = ord("\n")
_BLANK: Final = b" \t\r\n\xef\xbb\xbf"
_FIELDS: Final = (b"event:", b"data:", b"id:", b"retry:", b":")
_LONGEST_FIELD: Final = len(b"event:")


class EventStreamReader(StreamReader[LongEvent]):
    """Finds out how one SSE stream ends, from the chunks of its body, without their content encoding.

    Keeps at most ten times `MAX_KEPT` bytes, and the last chunk. `by_names` is whether the SDK decodes only events
    whose names it knows, as up to 1.15.

    A caller may set `last` to a chunk for which `is_delta` is true, in place of a call of `feed`: while `rest` is
    empty, and not for the first chunk. `rest` is `NOT_KEPT` during an event that is too long to be kept.
    """

    __slots__ = ("_after_cr", "_found", "_start")

    def __init__(self, *, by_names: bool = False) -> None:
        super().__init__(StreamEnd(by_names=by_names))
        self._found: Break | None = None
        """Where the SDK met an event that it cannot decode, in the text that had the first event which decided.

        Only set if that text was too long to be kept, so that it was searched at once; else `None`.
        """
        self._start = b""
        self._after_cr = False

    def feed(self, chunk: bytes) -> Dispatched | None:
        if not self.rest and (is_delta(chunk) or self._may_skip(chunk)):
            self.last = chunk
            return None
        if len(self._start) < _LONGEST_FIELD:
            start = (self._start + chunk).lstrip(_BLANK)[:_LONGEST_FIELD]
            # As nearly every stream begins: one text for all that are open.
            self._start = _FIELDS[0] if start == _FIELDS[0] else start
        return super().feed(_with_newlines(self._without_cut(chunk)) if self._after_cr or CR in chunk else chunk)

    def finish(self, *, read_to_end: bool) -> StreamEnd:
        if self._is_event_stream() is False:
            self._end.untold = self._end.untold or known_error(self.last + self.rest)
        return super().finish(read_to_end=read_to_end)

    def _break(self) -> Break | None:
        # If the chunk that decided how the stream ends was too long to be kept, what was found in it counts first.
        return self._found or super()._break()

    def _break_in_last(self, *, ended: bool) -> Break | None:
        text = self.last
        return break_in(_with_newlines(text), self._end.by_names, ended=ended) if len(text) <= MAX_LAST else None

    def _break_at_end(self) -> Break | None:
        """Returns whether the SDK raises before or after the end event, as bytes after the last event are no UTF-8.

        `None` if those bytes are UTF-8, or if an `error` event came before them. They are no UTF-8 in a compressed body
        whose headers do not say so, or whose compression the HTTP client does not know.

        Of an event that is too long to be kept only the last bytes are looked at, and if the body begins with that
        event, also the first few.
        """
        if self._end.error is not None:
            return None
        try:
            if self._long is None:
                _UTF_8().decode(self.rest, True)
            else:
                # Of an event that is too long to be kept its end is known, and of a body that begins with it the start.
                _UTF_8().decode(self._start if not self.last else b"")
                _UTF_8().decode(self._long.tail, True)
        except UnicodeDecodeError:
            return Break.AFTER_END if self._end.complete else Break.BEFORE_END
        return None

    def _may_skip(self, chunk: bytes) -> bool:
        """Returns whether a chunk is plainly made of whole events that decide nothing. `False` says nothing.

        Only to be asked where an event begins. `False` for a chunk longer than `MAX_KEPT`, as its events may be too
        long to be kept. For any other:

        - If the chunk has a CR, returns whether it is a single delta.
        - Else returns whether it is not the first chunk, ends with a blank line, and has none of these: `message_`, a
          line that ends in `error`, `"error"`.
        """
        if CR in chunk:
            return _is_delta_with_crlf(chunk)
        return (
            chunk.endswith(b"\n\n")
            and chunk.find(b"message_") < 0
            and chunk.find(b"error\n") < 0
            and chunk.find(b'"error"') < 0
            and self._start != b""
            and len(chunk) <= MAX_KEPT
        )

    def _without_cut(self, chunk: bytes) -> bytes:
        """Returns `chunk` without its leading LF, if that is the rest of a CRLF that was cut between two chunks.

        It is, if the chunk before `chunk` ended in CR. Chunks that `feed` skips do not count. Remembers whether `chunk`
        ends in CR.
        """
        if chunk and self._after_cr:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        self._after_cr = self._after_cr or chunk[-1:] == b"\r"
        return chunk

    def _take(self, text: bytes) -> Dispatched | None:
        # No event ends in what is known.
        decided, end = None, text.rfind(b"\n\n", max(len(self.rest) - 1, 0)) + 2
        if end > 1:
            if not _decides_nothing(text, end):
                for event in text[: end - 2].split(b"\n\n"):
                    decided = weightier(decided, self._dispatch(event.strip(b"\n")))
            undecided = self._decided_in is None
            self._keep(text, end, decided, _last_events)
            if undecided and self._decided_in is NOT_KEPT:
                self._found = break_in(text[:end], self._end.by_names, ended=False)
            text = text[end:]
        # A blank line before an event dispatches nothing.
        self.rest = text = text.lstrip(b"\n")
        if len(text) > MAX_KEPT:
            self._long, self.rest = LongEvent(text), NOT_KEPT
        return decided

    def _dispatch(self, event: bytes) -> Dispatched | None:
        """Dispatches one event, given without the blank line that ends it. Returns `STOP` or `ERROR` if it decides.

        Else returns `None`, also for an empty `event`. One of `MAX_KEPT` bytes or more is not parsed: its name and the
        types found in it are taken.
        """
        # A long event is treated in the same way, whether it came in one chunk or in several.
        if len(event) >= MAX_KEPT:
            return LongEvent(event + b"\n").dispatch(self._end)
        return self._end.dispatch(*fields_of(event))

    def _is_event_stream(self) -> bool | None:
        """Returns whether the body is an event stream. `None` for a body that is empty or all blanks.

        One of these is enough, after any blanks and a byte order mark at the beginning of the body:

        - The body begins with the name of an SSE field and a colon, or with a comment, which begins with a colon.
        - The first line is such a name without its colon, or the beginning of one, such as `dat`.
        - A later line in `last` or `rest` begins with `event:`.
        """
        start = self._start or self.last.lstrip(_BLANK)[:_LONGEST_FIELD]
        if not start:
            return None
        line = start.splitlines()[0]
        begins = line.startswith(_FIELDS) or any(field.startswith(line) for field in _FIELDS)
        return begins or b"\nevent:" in self.last + b"\n" + self.rest


_UTF_8: Final = codecs.getincrementaldecoder("utf-8")


def _with_newlines(text: bytes) -> bytes:
    """Returns `text` with each CRLF and each CR replaced by a newline."""
    if CR not in text:
        return text
    text = text.replace(b"\r\n", b"\n")
    return text.replace(b"\r", b"\n") if CR in text else text


def is_delta(chunk: bytes) -> bool:
    """Returns whether a chunk is exactly one `content_block_delta` event, with LF line endings.

    The event has one `event` line, one `data` line, and the blank line that ends it.
    """
    # `Reading.watch` has it in place, which saves a call per chunk.
    if not (DELTA < chunk < AFTER_DELTA and chunk[-1] == NEWLINE == chunk[-2]):
        return False
    return NEWLINE not in chunk[DATA] and CR not in chunk


def _is_delta_with_crlf(chunk: bytes) -> bool:
    """Returns whether a chunk is an event as for `is_delta`, but with CRLF line endings.

    `False` for a chunk longer than `MAX_KEPT`.
    """
    return (
        chunk.startswith(_DELTA_WITH_CRLF)
        and chunk.endswith(b"\r\n\r\n")
        and chunk.count(b"\r") == chunk.count(b"\n") == 3
        and len(chunk) <= MAX_KEPT
    )


def _decides_nothing(text: bytes, end: int) -> bool:
    """Returns whether every line of `text[:end]` that names an event names one of a content block.

    `text` begins with an event. `False` too if its first line does not name an event of a content block, and if a later
    event begins with a `data` line.
    """
    first = text.startswith(b"event: content_block_") and text.find(b"\n\ndata", 0, end) < 0
    return first and text.count(b"\nevent", 0, end) == text.count(b"\nevent: content_block_", 0, end)


def _last_events(text: bytes, end: int) -> bytes:
    """Returns the whole events in the last `MAX_LAST` bytes of `text[:end]`; empty if the last event is longer.

    `text` begins with an event, and `end` is where one ends, after its blank line.
    """
    if end <= MAX_LAST:
        return text[:end]
    # The blank line before an event that just fits does not count.
    begin = text.find(b"\n\n", end - MAX_LAST - 2, end)
    return text[begin + 2 : end]
