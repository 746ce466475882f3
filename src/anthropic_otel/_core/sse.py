"""What the end of an event stream says: whether its end event came, or an `error` event and of which type.

Rule: nothing is parsed while the stream runs. The two events that matter, `message_stop` and `error`, are by the
protocol the last of their stream, so it is enough to keep its last bytes and to look at them once, at the end. However
the events were cut into chunks, they are whole in there.

What is kept is at most `TAIL` bytes, in memory only, and gone with the attempt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from anthropic_otel._core.semconv import API_ERROR_TYPES, OTHER

TAIL: Final = 1024
"""How many bytes of a stream are kept. An `error` event with its request id has about 200."""

EVENT_FIRST_BYTE: Final = ord("e")
"""The first byte of `event:` and of `error`."""

EVENT_NAME_OFFSET: Final = len("event: ")
"""Where the name of an event is, in a chunk that the event begins with."""

_ERROR: Final = (b"event: error\n", b"event: error\r\n")
_COLON, _NEWLINE = ord(":"), ord("\n")
_EVENT_ENDS: Final = (b"\n\n", b"\r\n\r\n")
_ERROR_EVENT: Final = re.compile(rb"(?:^|[\r\n])event: ?error[\r\n]")
_STOP_EVENT: Final = re.compile(rb"(?:^|[\r\n])event: ?message_stop[\r\n]")
_DATA: Final = re.compile(rb"[\r\n]data: ?([^\r\n]*)")
_AWS_EXCEPTION: Final = re.compile(rb":exception-type\x07\x00.([A-Za-z]{1,64})", re.DOTALL)
_AWS_CHUNK: Final = re.compile(rb'"bytes"\s*:\s*"([A-Za-z0-9+/=]+)"')

_AWS_TYPES: Final = {
    b"throttlingException": "rate_limit_error",
    b"serviceUnavailableException": "overloaded_error",
    b"internalServerException": "api_error",
    b"modelTimeoutException": "timeout_error",
    b"validationException": "invalid_request_error",
}
"""Amazon Bedrock's stream exceptions as the API's error types."""


@dataclass(frozen=True)
class StreamEnd:
    """How an event stream ended.

    `complete` is whether its end event came, `None` if its events were not to be seen. `error_type` is one of
    `API_ERROR_TYPES` or `_OTHER`, `None` without an `error` event.
    """

    complete: bool | None
    error_type: str | None


UNSEEN: Final = StreamEnd(None, None)


def append_tail(tail: bytes, chunk: bytes) -> bytes:
    """The last bytes of an event stream, at most `TAIL`, after a further chunk.

    If the chunk starts an event, returns the chunk itself (no copy). This is the usual case.
    """
    # Runs at every chunk, and looks at single bytes, as `startswith` and `endswith` take three times as long. A line
    # that begins with `e` and has a colon there is an event's first.
    if (
        7 < len(chunk) < TAIL
        and chunk[0] == EVENT_FIRST_BYTE
        and chunk[5] == _COLON
        and (not tail or tail[-1] == _NEWLINE)
    ):
        return chunk
    return (tail + chunk)[-TAIL:] if len(chunk) < TAIL else chunk[-TAIL:]


def is_error_event(chunk: bytes) -> bool:
    """Whether a chunk that an event begins with is a whole `error` event and nothing else."""
    return chunk.startswith(_ERROR) and chunk.endswith(_EVENT_ENDS)


def end_of(tail: bytes) -> StreamEnd:
    """What the last bytes of an event stream say. Never raises, whatever they are."""
    if error := _last(_ERROR_EVENT, tail):
        return StreamEnd(False, _api_type(tail[error.end() - 1 :]))
    if aws := _AWS_EXCEPTION.search(tail):
        return StreamEnd(False, _AWS_TYPES.get(aws.group(1), OTHER))
    return StreamEnd(bool(_STOP_EVENT.search(tail)) or _aws_stopped(tail), None)


def _last(pattern: re.Pattern[bytes], tail: bytes) -> re.Match[bytes] | None:
    return max(pattern.finditer(tail), key=lambda match: match.start(), default=None)


def _api_type(fields: bytes) -> str:
    """The type in the data of an `error` event: `{"type": "error", "error": {"type": …, "message": …}}`."""
    # Not at the top of the module: most streams need it never.
    import json

    data = _DATA.search(fields)
    try:
        body = json.loads(data.group(1)) if data else None
    except (ValueError, RecursionError):
        return OTHER
    error = body.get("error") if isinstance(body, dict) else None
    name = error.get("type") if isinstance(error, dict) else None
    return name if name in API_ERROR_TYPES else OTHER


def _aws_stopped(tail: bytes) -> bool:
    """Whether the last frame of an AWS event stream carries `message_stop`, in base64 inside JSON."""
    import base64
    import json

    chunks = _AWS_CHUNK.findall(tail)
    if not chunks:
        return False
    try:
        event = json.loads(base64.b64decode(chunks[-1], validate=True))
    except (ValueError, RecursionError):
        return False
    return isinstance(event, dict) and event.get("type") == "message_stop"
