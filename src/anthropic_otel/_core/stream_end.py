"""Decides how an event stream ended: which events matter, what each of them means, and the result (`StreamEnd`).

`event_stream` and `aws_event_stream` split the bytes of a stream into events.

Rule: an event counts when it is dispatched, as in the SDK: an SSE event at its blank line, a frame of AWS at its last
byte. While a stream runs, the JSON of an event is parsed here only if its name does not tell its type, if it is
`error`, and for the usage in `message_start`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from anthropic_otel._core.event_json import (
    BLOCKS,
    ERROR,
    MESSAGE_DELTA,
    MESSAGE_START,
    MESSAGE_STOP,
    NAMES,
    PING,
    ApiError,
    JsonTypes,
    api_error,
    json_object,
    known_error,
    member,
)
from anthropic_otel._core.semconv import OTHER
from anthropic_otel._core.usage import Report, report_of_start

MAX_KEPT: Final = 16 * 1024
"""The most bytes that a reader keeps of one event. A longer event is searched for its types as it passes.

One read of a TLS connection returns at most as many.
"""

MAX_LAST: Final = 2 * MAX_KEPT
"""The most bytes that a reader keeps of the events that were dispatched last. A single delta may be longer.

It has room for the rest of an earlier chunk, and for one chunk.
"""

MAX_DELTAS: Final = 2
"""The most `message_delta` events that are kept. The API sends one, and what each says is cumulative."""

_PLAIN_STOP: Final = 40
"""The greatest length in bytes of the data of a `message_stop` that has no other member than its type."""


class Dispatched(Enum):
    """An event that decides how a stream ended, and that has just been dispatched."""

    STOP = "message_stop: the stream is complete"
    ERROR = "error: the SDK raises, and older ones leave the stream open"


class Break(Enum):
    """Whether the event that the SDK could not decode came before or after the end event.

    It came before any `error` event.
    """

    BEFORE_END = "before the end event: nothing after it counts"
    AFTER_END = "after the end event: the stream is complete, and an error after it was not reached"


def weightier(one: Dispatched | None, other: Dispatched | None) -> Dispatched | None:
    """Returns `ERROR` if either event is it, else `STOP` if either is it, else `None`."""
    return one if one is Dispatched.ERROR else other or one


@dataclass(slots=True)
class StreamEnd:
    """How a stream ended; while it runs, what its dispatched events say of that so far. No method raises.

    The end event is `message_stop`. Both `error` and `complete` may be set: an error may follow the end event. An
    event that the SDK cannot take is one that makes the SDK raise: it cannot be decoded, or its JSON cannot be used.

    - `complete`: whether the SDK came to the end event: no error, and no event that the SDK is known not to have taken,
      was before. `None` if the events could not be seen.
    - `error`: the error in the first `error` event that the SDK came to, `None` without one.
    - `untold`: the first error with a type or code of the API's that the SDK does not tell the app of: in an event
      without a name, or in a body that is no event stream; `None` without one.
    - `invalid`: whether the SDK stopped before the end event, because it could not take an event. Set after the last
      chunk.
    - `unchecked`: whether it is possible, although `complete` is set, that the SDK stopped before the end event, at an
      event that it could not take. Only then does a call of `could_not_be_taken` change a `complete` stream. Set if the
      end event, or an earlier event of its chunk, was too long to be decoded here; mostly also if no later chunk
      dispatched an event. Says nothing without `complete`. Not compared, as it depends on how the chunks were cut.
    - `read_to_end`: whether the body was read to its end. Set by the reader's `finish`.
    - `is_event_stream`: whether the body is one by its first bytes or by an event that came later, whatever its content
      type; `None` if not known, as for an empty body. Set by the reader's `finish`.
    - `first_usage`: the usage in the first `message_start` that was short enough to be kept (`MAX_KEPT`), which is a
      first count; `None` without one. It is parsed when the event comes: an open stream would keep its text.
    - `deltas`: the JSON of the last `MAX_DELTAS` `message_delta` events that were short enough to be kept. The last has
      the final `usage`. Empty if it was found here that the SDK stopped at an event before the end event.
    - `stop_event`: the JSON of a `message_stop` that has more than its type, as that of Bedrock has a usage; else
      `None`.
    - `by_names`: whether the SDK decodes only events whose SSE name it knows, as up to 1.15. Not compared.
    - `long`: whether the last chunk dispatched an event that was too long to be kept. A chunk that plainly decides
      nothing may leave it as it is. Not compared.
    """

    complete: bool | None = False
    error: ApiError | None = None
    untold: ApiError | None = None
    invalid: bool = False
    unchecked: bool = field(default=False, compare=False)
    read_to_end: bool = False
    is_event_stream: bool | None = None
    first_usage: Report | None = None
    deltas: tuple[bytes, ...] = ()
    stop_event: bytes | None = None
    by_names: bool = field(default=False, compare=False)
    long: bool = field(default=False, compare=False)

    def dispatch(self, name: bytes | None, data: bytes) -> Dispatched | None:
        """Takes a dispatched event: its SSE name or the type of an event of AWS, `None` without one, and its JSON.

        Records an end event by `stop` and an error by `fail`, and returns what these do; `None` for any other event.
        """
        if name == ERROR:
            return self.fail(api_error(data))
        if name is None and self.untold is None:
            self.untold = known_error(data)
        name = meaning_of(name, data, by_names=self.by_names)
        if name == MESSAGE_STOP:
            if len(data) > _PLAIN_STOP:
                self.stop_event = data
            return self.stop()
        if name == MESSAGE_DELTA:
            self.deltas = (*self.deltas[-MAX_DELTAS + 1 :], data)
        elif name == MESSAGE_START and self.first_usage is None:
            self.first_usage = report_of_start(data)
        return None

    def dispatch_long(self, name: bytes | None, types: JsonTypes) -> Dispatched | None:
        """Takes a dispatched event whose JSON was too long to keep: its name, and the types found in its JSON.

        Sets `long`, and keeps nothing for the usage. By its name and these types, records an end event by `stop` and an
        error by `fail`, and returns what these do; `None` for any other event.
        """
        self.long = True
        if name == ERROR:
            return self.fail(ApiError(types.error or OTHER, types.code, types.error))
        if name is not None and name not in NAMES and not self.by_names:
            name = types.event
        return self.stop() if name == MESSAGE_STOP else None

    def stop(self) -> Dispatched:
        """Records that the end event was dispatched: the stream is complete, unless `error` was set before.

        Returns `STOP` in any case. When the stream becomes complete, `unchecked` is set to `long`.
        """
        # The SDK reads no further than an error.
        if not self.complete and self.error is None:
            self.complete, self.unchecked = True, self.long
        return Dispatched.STOP

    def fail(self, error: ApiError) -> Dispatched:
        """Records an error, unless there was one before: the SDK reads no further than the first. Returns `ERROR`."""
        self.error = self.error or error
        return Dispatched.ERROR

    def broke_off(self, found: Break) -> None:
        """Records that the SDK met an event that it cannot decode, before any `error` event: it has read no further.

        So there is no `error`. If it met that event before the end event, the stream is `invalid` and not `complete`,
        and has no `deltas` and no `stop_event`.
        """
        self.error = None
        if found is Break.BEFORE_END:
            # The API sends `message_delta` last. The SDK has not read it if it stopped at an earlier event.
            self.complete, self.invalid, self.deltas, self.stop_event = False, True, (), None

    def could_not_be_taken(self) -> None:
        """Records that the SDK has closed the stream because of an event that it could not take.

        Nothing changes if the end event is known to have been read before: if it is `complete` and not `unchecked`.
        Else it is `invalid` and not `complete`, and has no `error` and no `stop_event`.
        """
        if not self.complete or self.unchecked:
            self.complete, self.invalid, self.error, self.stop_event = False, True, None, None


def meaning_of(name: bytes | None, data: bytes, *, by_names: bool) -> bytes | None:
    """Returns the type as which the SDK decodes an event, if it is `message_start`, `message_delta` or `message_stop`.

    For any other event it returns `None`, or a type that is none of these three. Not for an event named `error`.

    The type is the one in the JSON `data`: a gateway may name every event `message`. `data` is parsed only where the
    `name` does not tell. An SDK that goes `by_names` (up to 1.15) drops an event with an unknown name, and takes the
    name as the type of a `message_stop` whose `data` has none.
    """
    if name in (MESSAGE_START, MESSAGE_DELTA) or (name == MESSAGE_STOP and _STOP_QUOTED in data):
        return name
    if name is None or name in BLOCKS or name == PING or (by_names and not is_known(name)):
        return None
    event = json_object(data) if by_names and name == MESSAGE_STOP else None
    return name if event is not None and "type" not in event else _type_of(data)


def is_known(name: bytes) -> bool:
    """Returns whether an SDK that decodes only events whose names it knows (up to 1.15) decodes one of this name.

    Such an SDK decodes every event whose name has a dot in it, as those of agents have.
    """
    return name in NAMES or name == _MESSAGE or b"." in name


_MESSAGE: Final = b"message"
"""An event name that SDKs up to 1.15 know beside `NAMES`."""
_STOP_QUOTED: Final = b'"message_stop"'


def _type_of(data: bytes) -> bytes | None:
    """Returns the `type` in an event's JSON `data`; `None` if it is missing or no text, or if `data` is no JSON object.

    Parses nothing, and returns `None`, if `"message_` is nowhere in `data`: then it is no type that matters.
    """
    if b'"message_' not in data:
        return None
    name = member(json_object(data), "type")
    return name.encode("utf-8", "replace") if isinstance(name, str) else None
