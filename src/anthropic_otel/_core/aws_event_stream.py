"""Reads how a stream of AWS frames ends, from its chunks.

Rule: frames are found by their lengths. The payload of a `chunk` frame is JSON with the event in base64; most that
begin as a `content_block_delta` does are not decoded. The checksums of a frame that is longer than `MAX_KEPT` are
checked as it passes. Those of other frames are checked by `finish` only, if the app stopped reading before the end, and
only of the frames that were dispatched last: for a wrong one botocore raises, and then the SDK, so that no frame can
follow it.
"""

from __future__ import annotations

import binascii
from struct import unpack_from
from typing import Final
from zlib import crc32

from anthropic_otel._core.aws_frames import (
    CRC,
    PRELUDE,
    begins,
    error_of,
    event_in,
    event_of,
    frames_of,
    headers_of,
    is_possible,
)
from anthropic_otel._core.event_json import ERROR, MESSAGE_STOP, JsonTypes
from anthropic_otel._core.stream_end import MAX_KEPT, MAX_LAST, Break, Dispatched, StreamEnd, weightier
from anthropic_otel._core.stream_reader import StreamReader

_BYTES: Final = b'"bytes":"'
_DELTA: Final = b"{" + _BYTES + binascii.b2a_base64(b'{"type":"content_block_delt', newline=False)
"""The beginning of the payload of a `content_block_delta`, as Bedrock writes it."""
_DELTA_LENGTH: Final = len(_DELTA)


class AwsEventStreamReader(StreamReader["_LongFrame"]):
    """Finds out how one stream of AWS frames ends, from the chunks of its body.

    Keeps at most about nine times `MAX_KEPT` bytes between two chunks. A frame is broken if its lengths are not
    possible, or if it is longer than `MAX_KEPT` and one of its checksums is wrong. All bytes after a broken frame are
    ignored.
    """

    __slots__ = ("_broken", "_headers")

    def __init__(self) -> None:
        super().__init__(StreamEnd())
        self._headers = _NO_HEADERS
        """The headers, as bytes, of the last `chunk` frame of at most `MAX_KEPT` bytes. Usually all have the same.

        `_NO_HEADERS` before the first.
        """
        self._broken = False
        """Whether a broken frame has come."""

    def feed(self, chunk: bytes) -> Dispatched | None:
        return None if self._broken else super().feed(chunk)

    def _break_in_last(self, *, ended: bool) -> Break | None:
        found = _break_in(self.last, ended=ended)
        return found if found is not None or not self._breaks_after() else Break.BEFORE_END

    def _breaks_after(self) -> bool:
        """Returns whether the SDK raises for a broken frame, or for a wrong prelude after the last whole frame.

        `False` if the end event or an error came before.
        """
        return self._decided_in is None and (self._broken or (len(self.rest) >= PRELUDE and not begins(self.rest)))

    def _take(self, text: bytes) -> Dispatched | None:
        """Dispatches the whole frames of `text`, as `StreamReader._take` does. Most deltas are skipped undecoded.

        Stops at a frame whose prelude shows that it is broken, and sets `_broken`: that frame and all bytes after it
        are ignored.
        """
        at, size, decided, headers = 0, len(text), None, self._headers
        while size - at >= PRELUDE and not self._broken:
            total, header_length = unpack_from("!II", text, at)
            # The SDK raises at a wrong prelude. That of a frame which is kept is only checked by `finish`, if needed.
            if not is_possible(total, header_length) or (total > MAX_KEPT and not begins(text[at : at + PRELUDE])):
                self._broken = True
                break
            end, payload_at = at + total, at + PRELUDE + header_length
            if end > size:
                break
            # A delta, which decides nothing. Runs at every frame.
            if not (
                total <= MAX_KEPT
                and text[payload_at : payload_at + _DELTA_LENGTH] == _DELTA
                and text[at + PRELUDE : payload_at] == headers
            ):
                decided = weightier(decided, self._dispatch(text[at:end], PRELUDE + header_length))
                headers = self._headers
            at = end
        if at:
            self._keep(text, at, decided, _last_frames)
        self.rest = text[at:] if not self._broken else b""
        if len(self.rest) > MAX_KEPT:
            self._long, self.rest = _LongFrame(self.rest), b""
        return decided

    def _dispatch(self, frame: bytes, payload_at: int) -> Dispatched | None:
        """Passes the event or error of a whole frame to `_end`. The payload begins at `payload_at` in the frame.

        Returns `STOP` or `ERROR` if the frame decides how the stream ends, else `None`: also if the SDK cannot decode
        it. Sets `_headers` to the bytes of the headers of a `chunk` frame of at most `MAX_KEPT` bytes. Sets `_broken`
        for a longer frame with a wrong checksum.
        """
        if len(frame) > MAX_KEPT:
            return self._dispatch_long(_LongFrame(frame))
        try:
            headers = headers_of(frame[PRELUDE:payload_at])
            error = error_of(headers, frame[payload_at:-CRC])
            if error is not None:
                return self._end.fail(error)
            name, data = event_of(headers, frame[payload_at:-CRC])
        except ValueError:
            # The SDK raises for this frame, so that no frame follows. `finish` finds it if the app stops reading.
            return None
        if headers.get(":event-type") == "chunk":
            self._headers = frame[PRELUDE:payload_at]
        return self._end.dispatch(name, data)

    def _dispatch_long(self, frame: _LongFrame) -> Dispatched | None:
        self._broken = not frame.is_intact
        return frame.dispatch(self._end) if frame.is_intact else None

    def _is_event_stream(self) -> bool | None:
        if self.last or self._long is not None or self._decided_in is not None:
            return True
        return begins(self.rest) if self.rest else False if self._broken else None


_NO_HEADERS: Final = b"\xff" * 256
"""Bytes that are equal to the headers of no valid frame."""


class _LongFrame:
    """A frame that is longer than `MAX_KEPT`. It begins with `begun`, which is longer than `MAX_KEPT` too.

    Only its headers, its checksum and the types in its event's JSON are kept of it. Headers are read in its first
    `MAX_KEPT` bytes only, and count as none if they are not valid there. Types are found only of an event that begins
    in these bytes, in a payload as Bedrock writes it. `missing` is how many of its bytes have not come yet.
    """

    __slots__ = ("_base64", "_checksum", "_crc", "_headers", "_types", "missing")

    def __init__(self, begun: bytes) -> None:
        total, header_length = unpack_from("!II", begun, 0)
        self.missing = max(total - len(begun), 0)
        self._crc, self._checksum = 0, b""
        self._check(begun)
        payload_at = PRELUDE + header_length
        try:
            self._headers = headers_of(begun[PRELUDE : min(payload_at, MAX_KEPT)])
        except ValueError:
            self._headers = {}
        self._types: Final = JsonTypes()
        found = begun.find(_BYTES, payload_at, MAX_KEPT)
        self._base64: bytes | None = None
        if found >= 0:
            self._base64 = begun[found + len(_BYTES) :]
            self._decode()

    def feed(self, chunk: bytes) -> int | None:
        """Takes the next bytes. Returns the index in `chunk` just after the end of the frame, `None` if it goes on."""
        part = chunk[: self.missing]
        self.missing -= len(part)
        self._check(part)
        if self._base64 is not None:
            self._base64 += part
            self._decode()
        return len(part) if not self.missing else None

    def _decode(self) -> None:
        text, quote, _ = (self._base64 or b"").partition(b'"')
        whole = len(text) - len(text) % 4
        self._base64 = text[whole:] if not quote else None
        try:
            self._types.feed(binascii.a2b_base64(text[:whole]))
        except ValueError:
            self._base64 = None

    def _check(self, part: bytes) -> None:
        # The last four bytes are the checksum, and are not part of what it covers.
        part = self._checksum + part
        self._crc, self._checksum = crc32(part[:-CRC], self._crc), part[-CRC:]

    @property
    def is_intact(self) -> bool:
        """Whether the checksum of the whole frame is right. Only to be asked when the frame is complete."""
        checksum: int = unpack_from("!I", self._checksum)[0]
        return self._crc == checksum

    def dispatch(self, end: StreamEnd) -> Dispatched | None:
        """Passes the frame's error, or the types of its event, to `end`. Returns what `end` returns.

        To be called when the frame is complete and intact.
        """
        error = error_of(self._headers)
        if error is not None:
            return end.fail(error)
        return end.dispatch_long(self._types.event, self._types)


def _last_frames(text: bytes, end: int) -> bytes:
    """Returns the last whole frames of `text[:end]` that fit in `MAX_LAST` bytes; empty if the last one does not.

    `text` begins with a frame, and `end` is where one ends.
    """
    at = 0
    while end - at > MAX_LAST:
        at += unpack_from("!I", text, at)[0]
    return text[at:end]


def _break_in(text: bytes, *, ended: bool) -> Break | None:
    """Returns where the first whole frame of `text` is that the SDK cannot decode: before or after the end event.

    `None` if there is no such frame before the first frame with an error. `text` begins with a frame. `ended` is
    whether the end event came before `text`.
    """
    for frame in frames_of(text):
        try:
            name, _ = event_in(frame)
        except ValueError:
            return Break.AFTER_END if ended else Break.BEFORE_END
        if name == ERROR:
            return None
        ended = ended or name == MESSAGE_STOP
    return None
