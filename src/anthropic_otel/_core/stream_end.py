"""How a stream ended: which events decide that, what each of them means, and the result (`StreamEnd`).

The bytes of a stream are split into events by `event_stream` and `aws_event_stream`.

Rule: an event counts when it is dispatched, as in the SDK: an SSE event at its blank line, a frame of AWS at its last
byte. While a stream runs, no event is parsed further than to its name, but for an `error` event, which is the last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from anthropic_otel._core.semconv import API_ERROR_TYPES, OTHER

MAX_KEPT: Final = 16 * 1024
"""The most bytes that a reader keeps of one event. A longer event is scanned for its types as it passes.

As much as one read of a TLS connection gives.
"""

MAX_LAST: Final = 2 * MAX_KEPT
"""The most bytes that a reader keeps of the events that were dispatched last: one that was begun, and a chunk."""

MAX_DELTAS: Final = 2
"""The most `message_delta` events that are kept. The API sends one, and what each says is cumulative."""

_PLAIN_STOP: Final = 40
"""As long as a `message_stop` is at most that says no more than its type."""

MESSAGE_START: Final = b"message_start"
MESSAGE_DELTA: Final = b"message_delta"
MESSAGE_STOP: Final = b"message_stop"
ERROR: Final = b"error"
PING: Final = b"ping"
_BLOCKS: Final = (b"content_block_start", b"content_block_delta", b"content_block_stop")
NAMES: Final = frozenset({MESSAGE_START, MESSAGE_DELTA, MESSAGE_STOP, ERROR, PING, *_BLOCKS, b"completion"})
"""The names that the events of the API have."""


class Dispatched(Enum):
    """An event that decides how a stream ended, and that has just been dispatched."""

    STOP = "message_stop: the stream is complete"
    ERROR = "error: the SDK raises, and older ones leave the stream open"


class Break(Enum):
    """Where the SDK has met an event that it cannot decode, before any `error` event."""

    BEFORE_END = "before the end event: nothing after it counts"
    AFTER_END = "after the end event: the stream is complete, and an error after it was not reached"


def weightier(one: Dispatched | None, other: Dispatched | None) -> Dispatched | None:
    """The one of two events that decides more: an error more than an end, and an end more than nothing."""
    return one if one is Dispatched.ERROR else other or one


@dataclass(frozen=True)
class StreamEnd:
    """How a stream ended.

    Where several facts hold, `error_type` decides before `invalid`, and `invalid` before `complete`.
    """

    complete: bool | None
    """Whether `message_stop` was dispatched; `None` if the events were not to be seen."""
    error_type: str | None = None
    """The type of the `error` event: one of `API_ERROR_TYPES` or `_OTHER`; `None` without such an event."""
    told_type: str | None = None
    """The type of that event as it was sent; `None` without one."""
    error_code: str | None = None
    """The `error.details.error_code` of the `error` event, at most 64 letters, digits and underscores."""
    invalid: bool = False
    """Whether the stream was closed before its end, at an event that the SDK cannot decode."""
    is_event_stream: bool | None = None
    """Whether the body is an event stream by its first bytes, whatever its content type; `None` for an empty body."""
    first_event: bytes | None = None
    """The JSON of `message_start`, `None` if it did not come or is longer than `MAX_KEPT`. Has the `usage` so far."""
    deltas: tuple[bytes, ...] = ()
    """The JSON of the last `MAX_DELTAS` of `message_delta`, as `first_event`. The last one has the final `usage`."""
    stop_event: bytes | None = None
    """The JSON of a `message_stop` that says more than that it is one, as that of Bedrock, which has the usage too."""


UNSEEN: Final = StreamEnd(None)
"""The end of a stream whose bytes the app read without decoding their content encoding."""


@dataclass(frozen=True)
class ApiError:
    """What an `error` event says: a type of the closed list, and a code if there is one."""

    type: str
    """One of `API_ERROR_TYPES`, or `_OTHER`."""
    code: str | None = None
    told: str | None = None
    """The type as it was sent, for the SDK hands it on as it is; `None` without one."""


class Events:
    """What the events that have been dispatched say. No method raises."""

    __slots__ = ("_by_names", "complete", "deltas", "error", "first", "stop_event")

    def __init__(self, *, by_names: bool = False) -> None:
        self._by_names: Final = by_names
        self.complete = False
        self.error: ApiError | None = None
        self.first: bytes | None = None
        self.deltas: tuple[bytes, ...] = ()
        self.stop_event: bytes | None = None

    def dispatch(self, name: bytes | None, data: bytes) -> Dispatched | None:
        """Takes an event. Returns what it decides; `None` for one that decides nothing."""
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
        """Takes an event that was too long to be kept, of which only the types are known."""
        if name == ERROR:
            return self.fail(ApiError(types.error or OTHER, types.code, types.error))
        if name is not None and name not in NAMES and not self._by_names:
            name = types.event
        if name == MESSAGE_STOP:
            return self.stop()
        return None

    def stop(self) -> Dispatched:
        """The end event has been dispatched."""
        # The SDK reads no further than an error.
        self.complete = self.error is None
        return Dispatched.STOP

    def fail(self, error: ApiError) -> Dispatched:
        """An error has been dispatched. The first counts, as the SDK reads no further."""
        self.error = self.error or error
        return Dispatched.ERROR

    def ended_before(self, *, decided: bool) -> bool | None:
        """Whether the end came before the events that are looked at for a break; `None` if none of these counts.

        `decided` is whether an event that decides came before them.
        """
        ended = decided and self.complete
        return None if decided and not (ended and self.error) else ended

    def end(self, found: Break | None, *, is_event_stream: bool | None) -> StreamEnd:
        """Returns how the stream ended. `found` is where the SDK met an event that it cannot decode, if it did."""
        error = self.error if found is None else None
        # The API sends `message_delta` last, so after an event that broke the stream: the app has not got there.
        deltas, stop = ((), None) if found is Break.BEFORE_END else (self.deltas, self.stop_event)
        return StreamEnd(
            complete=self.complete and found is not Break.BEFORE_END,
            error_type=error.type if error is not None else None,
            told_type=error.told if error is not None else None,
            error_code=error.code if error is not None else None,
            invalid=found is Break.BEFORE_END,
            is_event_stream=is_event_stream,
            first_event=self.first,
            deltas=deltas,
            stop_event=stop,
        )


# -- JSON --------------------------------------------------------------------------------------------------------------


def parsed(data: bytes) -> Any:
    """The JSON value of `data`. Raises `ValueError` for what the SDK cannot parse either."""
    # Not at the top of the module: most streams need it never.
    import json

    try:
        return json.loads(data.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def api_error(data: bytes) -> ApiError:
    """What the JSON of an `error` event says: `{"type": "error", "error": {"type": …, "details": …}}`."""
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
    """The type that an event has to the app; `None` for one that means nothing here.

    That is the type in its data, whatever its name: a gateway may name each event `message`, or end with a
    `message_stop` that says nothing. It is looked at where the name alone does not tell. An older SDK, `by_names`,
    drops an event whose name it does not know, and takes the name for a type that is missing.
    """
    if name in (MESSAGE_START, MESSAGE_DELTA) or (name == MESSAGE_STOP and _STOP_QUOTED in data):
        return name
    if name is None or name in _BLOCKS or name == PING or (by_names and not is_known(name)):
        return None
    return name if by_names and name == MESSAGE_STOP and _lacks_type(data) else _type_of(data)


def is_known(name: bytes) -> bool:
    """Whether an SDK that goes by names decodes an event of this name. Only the names of agents' events have a dot."""
    return name in NAMES or name == _MESSAGE or b"." in name


_MESSAGE: Final = b"message"
"""A name that SDKs of 2026 know, before they decoded every event."""
_STOP_QUOTED: Final = b'"message_stop"'


def _lacks_type(data: bytes) -> bool:
    try:
        event = parsed(data)
    except ValueError:
        return False
    return isinstance(event, dict) and "type" not in event


def _type_of(data: bytes) -> bytes | None:
    """The type of an event of a message by its JSON, `None` if it has none."""
    if b'"message_' not in data:
        return None
    try:
        name = _member(parsed(data), "type")
    except ValueError:
        return None
    return name.encode("utf-8", "replace") if isinstance(name, str) else None


def known_type(name: object) -> str:
    """The API's error type `name`, or `_OTHER` for any other value."""
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
    """The types that a JSON text names, read off as its pieces pass.

    Inside of a JSON string the quotes are escaped, so that what a model writes is not taken for a type.
    """

    __slots__ = ("_before", "code", "error", "event")

    def __init__(self) -> None:
        self._before = b""
        self.event: bytes | None = None
        """The first type that is one of the events that matter."""
        self.error: str | None = None
        """The first type that is one of `API_ERROR_TYPES`."""
        self.code: str | None = None

    def feed(self, piece: bytes) -> None:
        """Searches the next piece. The first match of each kind is kept."""
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
