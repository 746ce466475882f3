"""Reads the JSON of an event or of an error: which event it is, and which of the API's errors.

Rule: nothing that a server sends is trusted. An `ApiError` has no text of an error but its type, cut to 64 characters,
and its code, if that is a short word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from anthropic_otel._core.semconv import API_ERROR_TYPES, OTHER

MESSAGE_START: Final = b"message_start"
MESSAGE_DELTA: Final = b"message_delta"
MESSAGE_STOP: Final = b"message_stop"
ERROR: Final = b"error"
PING: Final = b"ping"
BLOCKS: Final = (b"content_block_start", b"content_block_delta", b"content_block_stop")
NAMES: Final = frozenset({MESSAGE_START, MESSAGE_DELTA, MESSAGE_STOP, ERROR, PING, *BLOCKS, b"completion"})
"""The names of the events of the API's message and completion streams."""

MAX_TOLD: Final = 64
"""The most characters of a type that are kept of what a server sent."""
_CODE: Final = re.compile(r"\w{1,64}", re.ASCII).fullmatch


@dataclass(frozen=True)
class ApiError:
    """An error that the API reported: in a response's body or header, an event, or a frame of Bedrock.

    - `type`: one of `API_ERROR_TYPES`, or `_OTHER`.
    - `code`: the `error.details.error_code`, at most 64 letters, digits and underscores; `None` without one.
    - `raw_type`: the type as the server sent it, cut to 64 characters; `None` without one. In a frame of Bedrock it is
      what the app sees (`aws_frames.error_of`). `None` too if the error was in a header or in a body too long to be
      parsed, and if it was in an event too long to be kept and its type is not known.
    """

    type: str
    code: str | None = None
    raw_type: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether it has a documented type or a code, so that it is the API's."""
        return self.type != OTHER or self.code is not None


def parsed(data: bytes) -> Any:
    """Parses JSON. Raises `ValueError` for what the SDK cannot parse: invalid UTF-8 or JSON, or too deep nesting."""
    # Not at the top of the module: most streams never need it.
    import json

    try:
        return json.loads(data.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def json_object(data: bytes) -> dict[str, Any] | None:
    """Parses a JSON object. Returns `None` for any other JSON, and where `parsed` raises `ValueError`."""
    try:
        value = parsed(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def api_error(data: bytes) -> ApiError:
    """Parses the JSON of an `error` event: `{"type": "error", "error": {"type": …, "details": {"error_code": …}}}`.

    Never raises. In the `ApiError` that it returns:

    - `type` is the type if it is documented (`API_ERROR_TYPES`); `_OTHER` if it is not, is missing, or is no string.
    - `raw_type` is the type if it is a string, documented or not, cut to `MAX_TOLD` characters; else `None`.
    - `code` is the code if it is 1 to 64 letters, digits and underscores; else `None`.

    If `data` is no JSON object, the type and the code are missing.
    """
    return _error_of(json_object(data))


def _error_of(value: object) -> ApiError:
    """Returns what `api_error` does, for parsed JSON of any kind."""
    error = member(value, "error")
    code, name = member(member(error, "details"), "error_code"), member(error, "type")
    return ApiError(
        known_type(name),
        code if isinstance(code, str) and _CODE(code) else None,
        name[:MAX_TOLD] if isinstance(name, str) else None,
    )


def error_of_ends(start: bytes, end: bytes) -> ApiError:
    """Finds the error in a JSON object of which only the beginning and the end are known, as of a very long one.

    Returns the first documented type, or `_OTHER`; the first code, or `None`; and no raw type. Never raises.

    A type or code counts only where `api_error` would read it, as a request that is quoted may have members of the same
    names. So wherever such a member may be, the text of `start` before it, or the text of `end` after it, is completed
    by brackets and parsed with it. At most `_MAX_TRIES` members are tried in `start`, from its beginning, and as many
    in `end`, the last ones.
    """
    start, end = (part.decode("utf-8", "replace").encode() for part in (start, end))
    begun = [start[: found.end()] + (b"}}}" if found[1] else b"}}") for found in islice(_BEGINS(start), _MAX_TRIES)]
    objects = [json_object(text) for text in begun]
    is_begun = any(isinstance(member(value, "error"), dict) for value in objects)
    for found in [*_ENDS(end)][-_MAX_TRIES:]:
        if found[1] or is_begun:
            objects.append(json_object((b"{" if found[1] else b'{"error":{') + end[found.start() :]))
    errors = [_error_of(value) for value in objects]
    types, codes = [error.type for error in errors if error.type != OTHER], [error.code for error in errors]
    return ApiError(next(iter(types), OTHER), next(filter(None, codes), None))


_BEGINS: Final = re.compile(rb'"(?:type|(error_code))"\s{0,8}:\s{0,8}"\w{1,64}"|"error"\s{0,8}:\s{0,8}\{').finditer
_ENDS: Final = re.compile(rb'"(?:(error)|type|details)"\s{0,8}:').finditer
_MAX_TRIES: Final = 16
"""How many places are tried at each end, as a quoted request may have hundreds of such members."""


def known_error(data: bytes) -> ApiError | None:
    """Returns the error in a JSON object as `api_error` does; `None` if it has neither a documented type nor a code.

    `None` too for what is no JSON object. Never raises.
    """
    if b'"error"' not in data:
        return None
    error = api_error(data)
    return error if error.is_known else None


def error_of_body(body: bytes, content_type: bytes) -> ApiError:
    """Parses the body of an error response, and returns the same as `api_error`. Never raises.

    The body is decoded as by the SDK: by the charset in `content_type`, as UTF-8 without one, and for one that Python
    does not know. Bytes that are not valid in the encoding are replaced.
    """
    charset = _CHARSET(content_type)
    try:
        text = body.decode(charset[1].decode("ascii", "replace") if charset else "utf-8", "replace")
    except (LookupError, ValueError):
        # As in httpx, a charset that Python does not know is none.
        text = body.decode("utf-8", "replace")
    return api_error(text.encode("utf-8", "replace"))


_CHARSET: Final = re.compile(rb"""charset\s{0,8}=\s{0,8}["']?([\w.:-]{1,40})""", re.IGNORECASE).search


def known_type(name: object) -> str:
    """Returns `name` if it is one of `API_ERROR_TYPES`, else `_OTHER`."""
    return name if isinstance(name, str) and name in API_ERROR_TYPES else OTHER


def member(value: object, key: str) -> object:
    """Returns `value[key]` if `value` is a dictionary that has `key`, else `None`."""
    return value.get(key) if isinstance(value, dict) else None


_TYPES: Final = re.compile(rb'"(?:type|details"\s{0,8}:\s{0,8}\{\s{0,8}"(error_code))"\s{0,8}:\s{0,8}"(\w{1,64})"')
_OVERLAP: Final = 160
"""More than the longest match of `_TYPES`, so that a match which is cut between two pieces is found with the second."""

_EVENT_TYPES: Final = frozenset({MESSAGE_START, MESSAGE_DELTA, MESSAGE_STOP, ERROR})


class JsonTypes:
    """Finds the values of `type` and of an error's `error_code` in a JSON text that is fed in pieces and not kept.

    Members of any object in it count, but nothing inside of a JSON string, where quotes are escaped: what a model
    writes is not taken for a type. Each is `None` until it has come:

    - `event`: the first `type` that is `message_start`, `message_delta`, `message_stop` or `error`.
    - `error`: the first `type` that is one of `API_ERROR_TYPES`.
    - `code`: the first `error_code` that is the first member of a `details`, as the API writes it: other objects, such
      as the input of a tool that is quoted, may have a member of that name. It is found only if it has at most 64
      letters, digits and underscores.
    """

    __slots__ = ("_before", "code", "error", "event")

    def __init__(self) -> None:
        self._before = b""
        self.event: bytes | None = None
        self.error: str | None = None
        self.code: str | None = None

    def feed(self, piece: bytes) -> None:
        """Searches the next piece of the text, also for what is cut between two pieces."""
        text = self._before + piece
        for is_code, value in _TYPES.findall(text):
            word = value.decode("ascii", "replace")
            if is_code:
                self.code = self.code or word
            elif value in _EVENT_TYPES:
                self.event = self.event or value
            elif word in API_ERROR_TYPES:
                self.error = self.error or word
        self._before = text[-_OVERLAP:]
