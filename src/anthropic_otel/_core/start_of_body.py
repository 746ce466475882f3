"""Keeps what is needed of a body that is no event stream: its beginning, its last byte, and lines that may be broken.

Of an error's body it keeps the last bytes too.

Rule: what is kept is bounded, and no method raises, whatever the bytes are.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.content import MAX_START, in_utf8, is_error
from anthropic_otel._core.event_json import parsed
from anthropic_otel._core.stream_end import MAX_KEPT, MAX_LAST, Dispatched

_BLANKS: Final = 256
"""How many blanks at the end of a chunk are skipped to find the last byte that is none."""
_BLANK: Final = b" \t\r\n\0"
"""The bytes that are skipped at the end. Zeros too: in UTF-16 and UTF-32 they are a part of most characters of JSON."""


class StartOfBody:
    """Keeps the beginning of a body that is no event stream, and its last byte that is not blank.

    - `start`: up to `most` bytes, empty at first. Without leading blanks, unless a zero byte (NUL) is among its first
      four bytes, as in UTF-16 and UTF-32.
    - `last`: that last byte, sought in the last `_BLANKS` bytes of each chunk; empty before one was found.
    - `has_sought`: whether `sought` has come anywhere in the body; `True` if `sought` is empty.
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
        """Takes the next chunk. Always returns `None`, as such a body has no events."""
        self.last = chunk[-_BLANKS:].rstrip(_BLANK)[-1:] or self.last
        if len(self.start) < self._most:
            start = self.start + chunk
            # Blanks of UTF-16 and UTF-32 have zeros, and are skipped once the start is decoded.
            self.start = (start if 0 in start[:4] else start.lstrip())[: self._most]
        if not self.has_sought:
            text = self._before + chunk
            self.has_sought = self._sought in text
            # It may be cut between two chunks.
            self._before = text[1 - len(self._sought) :]
        return None

    def finish(self, *, read_to_end: bool) -> bool:
        """Returns `has_sought`. To be called once, after the last chunk, with whether the body was read to its end."""
        return self.has_sought


class StartAndEnd(StartOfBody):
    """Keeps the beginning of an error's body, and its end if it is long.

    `start` has up to `most` bytes, as in `StartOfBody`. If it has so many and the body has more, the last `most` bytes
    of the body are behind these. In a body of less than twice as many bytes the two overlap.
    """

    __slots__ = ("_end", "_size")

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._end = b""
        self._size = 0

    def feed(self, chunk: bytes) -> Dispatched | None:
        self._size += len(chunk)
        self._end = (self._end + chunk)[-self._most :]
        dispatched = super().feed(chunk)
        if self._size > self._most <= len(self.start):
            self.start = self.start[: self._most] + self._end
        return dispatched


class StartOfReply(StartOfBody):
    """Keeps the beginning of a reply of JSON.

    `start` has at most `MAX_START` bytes. If these show that the reply is an API's error (`is_error`), it has up to
    `most` bytes, as in `StartOfBody`.
    """

    __slots__ = ()

    def feed(self, chunk: bytes) -> Dispatched | None:
        dispatched = super().feed(chunk)
        if self._most > MAX_START < len(self.start) and not is_error(in_utf8(self.start)):
            self._most, self.start = MAX_START, self.start[:MAX_START]
        return dispatched


class JsonLines(StartOfBody):
    """Keeps the beginning of a body whose lines are JSON, and what is needed to see a line that is none.

    That is the lines that ended in the last chunk in which any did, if they have at most `MAX_LAST` bytes in all, and
    the beginning of the next line, if it has at most `MAX_KEPT`. A line of which the beginning was not kept is left
    out.
    """

    __slots__ = ("_ended", "_rest")

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._ended = b""
        self._rest: bytes | None = b""
        """The beginning of the line that has not ended yet, `None` if it is too long to be kept."""

    def feed(self, chunk: bytes) -> Dispatched | None:
        end = chunk.rfind(b"\n") + 1
        if end:
            # Of a line that was too long its end alone would be no JSON.
            text = self._rest + chunk[:end] if self._rest is not None else chunk[chunk.find(b"\n") + 1 : end]
            self._ended = text if len(text) <= MAX_LAST else b""
            self._rest = b""
        if self._rest is not None:
            rest = self._rest + chunk[end:]
            self._rest = rest if len(rest) <= MAX_KEPT else None
        return super().feed(chunk)

    def finish(self, *, read_to_end: bool) -> bool:
        """Returns `False` if a line is found to be no JSON, else `True`. To be called once, after the last chunk.

        Only the lines that were kept are parsed: if the SDK raised for a line, it has read no further. If the body was
        read to its end (`read_to_end`), what follows the last line end is parsed too, unless it is empty. If it is too
        long to be kept, it only has to end in `}`.
        """
        if not all(map(_is_json, self._ended.split(b"\n")[:-1])):
            return False
        if not read_to_end or self._rest == b"":
            return True
        return _is_json(self._rest) if self._rest is not None else self.last == b"}"


def _is_json(line: bytes) -> bool:
    try:
        parsed(line)
    except ValueError:
        return False
    return True
