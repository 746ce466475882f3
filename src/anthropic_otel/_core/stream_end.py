"""Decides how an event stream ended: which events matter, what each of them means, and the result (`StreamEnd`).

`event_stream` and `aws_event_stream` split the bytes of a stream into events.

Rule: an event counts when it is dispatched, as in the SDK: an SSE event at its blank line, a frame of AWS at its last
byte. While a stream runs, an event is parsed only where its name does not tell its type, and if it is an `error`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from anthropic_otel._core.semconv import API_ERROR_TYPES, OTHER

MAX_KEPT: Final = 16 * 1024
"""The most bytes that a reader keeps of one event. A longer event is searched for its types as it passes.

One read of a TLS connection returns at most as many.
"""

MAX_LAST: Final = 2 * MAX_KEPT
"""The most bytes that a reader keeps of the last dispatched events: the rest of an earlier chunk, and one chunk."""

MAX_DELTAS: Final = 2
"""The most `message_delta` events that are kept. The API sends one, and what each says is cumulative."""

_PLAIN_STOP: Final = 40
"""The greatest length in bytes of the data of a `message_stop` that has no other member than its type."""

MESSAGE_START: Final = b"message_start"
MESSAGE_DELTA: Final = b"message_delta"
MESSAGE_STOP: Final = b"message_stop"
ERROR: Final = b"error"
PING: Final = b"ping"
_BLOCKS: Final = (b"content_block_start", b"content_block_delta", b"content_block_stop")
NAMES: Final = frozenset({MESSAGE_START, MESSAGE_DELTA, MESSAGE_STOP, ERROR, PING, *_BLOCKS, b"completion"})
"""The names of the events of the API's message and completion streams."""


class Dispatched(Enum):
    """An event that decides how a stream ended, and that has just been dispatched."""

    STOP = "message_stop: the stream is complete"
    ERROR = "error: the SDK raises, and older ones leave the stream open"


class Break(Enum):
    """Where the SDK has met an event that it cannot decode, before any `error` event."""

    BEFORE_END = "before the end event: nothing after it counts"
    AFTER_END = "after the end event: the stream is complete, and an error after it was not reached"


def weightier(one: Dispatched | None, other: Dispatched | None) -> Dispatched | None:
    """Returns `ERROR` if either event is it, else `STOP` if either is it, else `None`."""
    return one if one is Dispatched.ERROR else other or one


@dataclass(frozen=True)
class StreamEnd:
    """How a stream ended.

    Where several facts hold, `error_type` decides before `invalid`, and `invalid` before `complete`.
    """

    complete: bool | None
    """Whether `message_stop` was dispatched; `None` if the events could not be seen."""
    error_type: str | None = None
    """The type of the `error` event: one of `API_ERROR_TYPES` or `_OTHER`; `None` without such an event."""
    told_type: str | None = None
    """The type in the `error` event as the server sent it, up to 64 characters; `None` without one."""
    error_code: str | None = None
    """The `error.details.error_code` of the `error` event, at most 64 letters, digits and underscores."""
    invalid: bool = False
    """Whether the SDK closed the stream before its end, because it could not decode an event."""
    unchecked: bool = False
    """Whether the end event came in one chunk with an event before it that was too long to be decoded here."""
    read_to_end: bool = False
    """Whether the body was read to its end."""
    is_event_stream: bool | None = None
    """Whether the body is an event stream by its first bytes, whatever its content type; `None` for an empty body."""
    first_event: bytes | None = None
    """The JSON of `message_start`, whose `usage` is a first count; `None` if it did not come or exceeds `MAX_KEPT`."""
    deltas: tuple[bytes, ...] = ()
    """The JSON of the last `MAX_DELTAS` `message_delta` events up to `MAX_KEPT`. The last has the final `usage`."""
    stop_event: bytes | None = None
    """The JSON of a `message_stop` that has more than its type, as that of Bedrock has a usage; else `None`."""


UNSEEN: Final = StreamEnd(None)
"""The end of a stream whose events could not be seen: the app read its bytes without decoding their encoding."""


@dataclass(frozen=True)
class ApiError:
    """An error that the API reported in an `error` event or, on Bedrock, in a frame of its own."""

    type: str
    """One of `API_ERROR_TYPES`, or `_OTHER`."""
    code: str | None = None
    """The `error.details.error_code`, at most 64 letters, digits and underscores; `None` without one."""
    told: str | None = None
    """The type as the server sent it, which the SDK raises unchanged; `None` without one."""


class Events:
    """Collects what the dispatched events of one stream say about its end. No method raises.

    - `by_names`: whether the SDK decodes only events whose SSE name it knows, as up to 1.15.
    - `complete`: whether `message_stop` came, and no error before it.
    - `error`: the first error, `None` without one.
    - `first`, `deltas`, `stop_event`: as `first_event`, `deltas` and `stop_event` of `StreamEnd`.
    - `long`: whether the chunk has had an event that was too long to be kept. The reader clears it at the next one.
    - `unchecked`: as in `StreamEnd`.
    """

    __slots__ = ("_by_names", "complete", "deltas", "error", "first", "long", "stop_event", "unchecked")

    def __init__(self, *, by_names: bool = False) -> None:
        self._by_names: Final = by_names
        self.complete = False
        self.error: ApiError | None = None
        self.first: bytes | None = None
        self.deltas: tuple[bytes, ...] = ()
        self.stop_event: bytes | None = None
        self.long = False
        self.unchecked = False

    def dispatch(self, name: bytes | None, data: bytes) -> Dispatched | None:
        """Takes a dispatched event: its name, `None` without one, and its JSON.

        Returns `STOP` or `ERROR` if the event is one that decides how the stream ends, else `None`.
        """
        if name == ERROR:
            return self.fail(api_error(data))
        name = meaning_of(name, data, by_names=self._by_names)
        if name == MESSAGE_STOP:
            if len(data) > _PLAIN_STOP:
                self.stop_event = data
            return self.stop()
        if name == MESSAGE_DELTA:
            self.deltas = (*self.deltas[-MAX_DELTAS + 1 :], data)
        elif name == MESSAGE_START and self.first is None:
            self.first = data
        return None

    def dispatch_long(self, name: bytes | None, types: JsonTypes) -> Dispatched | None:
        """Takes a dispatched event whose JSON was too long to keep: its name, and the types found in its JSON.

        Returns the same as `dispatch`.
        """
        self.long = True
        if name == ERROR:
            return self.fail(ApiError(types.error or OTHER, types.code, types.error))
        if name is not None and name not in NAMES and not self._by_names:
            name = types.event
        if name == MESSAGE_STOP:
            return self.stop()
        return None

    def stop(self) -> Dispatched:
        """Records that the end event was dispatched: the stream is complete, unless an error came before.

        Returns `STOP` in either case.
        """
        # The SDK reads no further than an error.
        if not self.complete and self.error is None:
            self.complete, self.unchecked = True, self.long
        return Dispatched.STOP

    def fail(self, error: ApiError) -> Dispatched:
        """Records an error, unless there was one before: the SDK reads no further than the first. Returns `ERROR`."""
        self.error = self.error or error
        return Dispatched.ERROR

    def ended_before(self, *, decided: bool) -> bool | None:
        """Returns whether the stream's end event came before its last chunk; `None` if that chunk cannot matter.

        A reader asks before it searches the last chunk for an event that the SDK cannot decode. `decided` is whether an
        earlier chunk had the end event or an error. The last chunk can matter then only if an error followed the end.
        """
        ended = decided and self.complete
        return None if decided and not (ended and self.error) else ended

    def end(self, found: Break | None, *, is_event_stream: bool | None, read_to_end: bool = False) -> StreamEnd:
        """Returns how the stream ended.

        `found` is where the SDK met an event that it cannot decode, `None` if it met none. After such an event an error
        does not count, nor an end event if the SDK met it before the end. `is_event_stream` and `read_to_end` are
        copied into the result.
        """
        error = self.error if found is None else None
        # The API sends `message_delta` last. The SDK has not read it if it stopped at an earlier event.
        deltas, stop = ((), None) if found is Break.BEFORE_END else (self.deltas, self.stop_event)
        return StreamEnd(
            complete=self.complete and found is not Break.BEFORE_END,
            error_type=error.type if error is not None else None,
            told_type=error.told if error is not None else None,
            error_code=error.code if error is not None else None,
            invalid=found is Break.BEFORE_END,
            unchecked=self.unchecked,
            read_to_end=read_to_end,
            is_event_stream=is_event_stream,
            first_event=self.first,
            deltas=deltas,
            stop_event=stop,
        )


# -- JSON --------------------------------------------------------------------------------------------------------------


def parsed(data: bytes) -> Any:
    """Parses JSON. Raises `ValueError` as the SDK does: for invalid UTF-8, invalid JSON, or JSON nested too deeply."""
    # Not at the top of the module: most streams never need it.
    import json

    try:
        return json.loads(data.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def api_error(data: bytes) -> ApiError:
    """Parses the JSON of an `error` event: `{"type": "error", "error": {"type": …, "details": {"error_code": …}}}`.

    Never raises: what is missing or not valid is `_OTHER` as the type, and `None` as the code.
    """
    try:
        error = _member(parsed(data), "error")
    except ValueError:
        return ApiError(OTHER)
    code = _member(_member(error, "details"), "error_code")
    name = _member(error, "type")
    return ApiError(
        known_type(name),
        code if isinstance(code, str) and _CODE(code) else None,
        name[:_MAX_TOLD] if isinstance(name, str) else None,
    )


def meaning_of(name: bytes | None, data: bytes, *, by_names: bool) -> bytes | None:
    """Returns the type as which the SDK decodes an event, `None` for an event that has no part in how a stream ends.

    The type is the one in the JSON `data`: a gateway may name every event `message`. `data` is parsed only where the
    `name` does not tell. An SDK that goes `by_names` (up to 1.15) drops an event with an unknown name, and takes the
    name as the type if `data` has none.
    """
    if name in (MESSAGE_START, MESSAGE_DELTA) or (name == MESSAGE_STOP and _STOP_QUOTED in data):
        return name
    if name is None or name in _BLOCKS or name == PING or (by_names and not is_known(name)):
        return None
    return name if by_names and name == MESSAGE_STOP and _lacks_type(data) else _type_of(data)


def is_known(name: bytes) -> bool:
    """Returns whether an SDK that decodes only events whose names it knows (up to 1.15) decodes one of this name.

    Every name with a dot is one: that of an agent's event.
    """
    return name in NAMES or name == _MESSAGE or b"." in name


_MESSAGE: Final = b"message"
"""An event name that SDKs up to 1.15 know beside `NAMES`."""
_STOP_QUOTED: Final = b'"message_stop"'


def _lacks_type(data: bytes) -> bool:
    try:
        event = parsed(data)
    except ValueError:
        return False
    return isinstance(event, dict) and "type" not in event


def _type_of(data: bytes) -> bytes | None:
    """Parses the `type` in an event's JSON. `None` if there is none, or if the JSON mentions no `message_…` type."""
    if b'"message_' not in data:
        return None
    try:
        name = _member(parsed(data), "type")
    except ValueError:
        return None
    return name.encode("utf-8", "replace") if isinstance(name, str) else None


def known_type(name: object) -> str:
    """Returns `name` if it is one of `API_ERROR_TYPES`, else `_OTHER`."""
    return name if isinstance(name, str) and name in API_ERROR_TYPES else OTHER


def _member(value: object, key: str) -> object:
    return value.get(key) if isinstance(value, dict) else None


_MAX_TOLD: Final = 64
_CODE: Final = re.compile(r"\w{1,64}", re.ASCII).fullmatch
_TYPES: Final = re.compile(rb'"(type|error_code)"\s{0,8}:\s{0,8}"(\w{1,64})"')
_OVERLAP: Final = 128
"""More than the longest match of `_TYPES`, so that a match which is cut between two pieces is found with the second."""

_EVENT_TYPES: Final = frozenset({MESSAGE_START, MESSAGE_DELTA, MESSAGE_STOP, ERROR})


class JsonTypes:
    """Finds the values of `type` and `error_code` in a JSON text that is fed in pieces and not kept.

    Inside of a JSON string the quotes are escaped, so that what a model writes is not taken for a type.
    """

    __slots__ = ("_before", "code", "error", "event")

    def __init__(self) -> None:
        self._before = b""
        self.event: bytes | None = None
        """The first `type` that is `message_start`, `message_delta`, `message_stop` or `error`."""
        self.error: str | None = None
        """The first `type` that is one of `API_ERROR_TYPES`."""
        self.code: str | None = None
        """The first `error_code`."""

    def feed(self, piece: bytes) -> None:
        """Searches the next piece of the text. Sets each attribute at its first match only."""
        text = self._before + piece
        for key, value in _TYPES.findall(text):
            word = value.decode("ascii", "replace")
            if key == b"error_code":
                self.code = self.code or word
            elif value in _EVENT_TYPES:
                self.event = self.event or value
            elif word in API_ERROR_TYPES:
                self.error = self.error or word
        self._before = text[-_OVERLAP:]
