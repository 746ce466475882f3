"""Reads the few response headers that the library uses, and parses their values.

Rule: headers come from a server that may be hostile. A value counts as absent where it is parsed, if it is longer than
a bound or not what it should be, and nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

RawHeaders = Mapping[bytes, bytes]
"""The headers of one response by lowercase name. The values of a repeated name are joined by commas."""

_MAX_ID: Final = 128
_MAX_NUMBER: Final = 64
_MAX_SECONDS: Final = 366 * 86_400.0


def by_name(raw: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Returns a response's headers by lowercase name, the values of a repeated name joined by commas.

    `raw` has pairs of name and value, as httpx's `headers.raw`.
    """
    pairs = list(raw)
    # All headers are taken: to look each name up among those that are read takes a quarter longer.
    found = {name.lower(): value for name, value in pairs}
    return found if len(found) == len(pairs) else _joined(pairs)


class ResponseFacts:
    """The headers of one response that are recorded. It is made from `headers`, which are all of them.

    `None` stands for an absent header. Most values are the header's own `bytes`: while a stream is open, a decoded copy
    would take memory.

    - `request_id`: the `request-id` header as `bytes`; `None` too if `identifier` returns `None` for it.
    - `response_id`: the id that an edge or a platform gave the response, as `identifier` parses it: the first that is
      valid in the order of `_RESPONSE_IDS`. `None` if there is a `request_id`.
    - `organization_id`, `workspace_id`, `content_length`: the values of these headers as they came, not checked.
    - `envoy_time`, `server_timing`: the values, not checked, of two headers that say how long the server took; see
      `server_duration`.
    - `bedrock_tokens`: the values, not checked, of Bedrock's four counts: input, output, cache reads and cache writes,
      in this order, each `None` if absent. `None` instead of the four without the count of output.
    """

    # No `NamedTuple`: a field of one takes 130 instructions more to read.
    __slots__ = (
        "bedrock_tokens",
        "content_length",
        "envoy_time",
        "organization_id",
        "request_id",
        "response_id",
        "server_timing",
        "workspace_id",
    )

    def __init__(self, headers: RawHeaders) -> None:
        get = headers.get
        told = get(b"request-id")
        # The first is faster, and true of the API's own.
        plain = told is not None and 0 < len(told) <= _MAX_ID and told.replace(b"_", b"").isalnum()
        self.request_id: Final = told if plain or identifier(told) is not None else None
        self.response_id: Final = (
            next(filter(None, map(identifier, map(get, _RESPONSE_IDS))), None) if self.request_id is None else None
        )
        self.organization_id: Final = get(b"anthropic-organization-id")
        self.workspace_id: Final = get(b"anthropic-workspace-id")
        self.content_length: Final = get(b"content-length")
        self.envoy_time: Final = get(b"x-envoy-upstream-service-time")
        self.server_timing: Final = get(b"server-timing")
        tokens = tuple(map(get, _BEDROCK_TOKENS)) if _BEDROCK_TOKENS[1] in headers else None
        self.bedrock_tokens: Final[tuple[bytes | None, ...] | None] = tokens

    @property
    def server_duration(self) -> float | None:
        """The seconds that the server reports to have taken; `None` if no header has a number above 0 and up to a day.

        From `envoy_time`, else the longest such `dur` in `server_timing`, if that has 2,048 bytes at most. Both are in
        milliseconds.
        """
        milliseconds = _duration(self.envoy_time)
        if milliseconds is None and self.server_timing is not None and len(self.server_timing) <= _MAX_TIMING:
            durations = [_duration(value) for value in _SERVER_TIMING.findall(self.server_timing)]
            milliseconds = max((value for value in durations if value is not None), default=None)
        return milliseconds / 1000 if milliseconds is not None else None


_RESPONSE_IDS: Final = (b"cf-ray", b"x-amzn-requestid", b"x-request-id", b"apim-request-id")
_BEDROCK_TOKENS: Final = tuple(
    b"x-amzn-bedrock-%b-token-count" % each for each in (b"input", b"output", b"cache-read-input", b"cache-write-input")
)
_SERVER_TIMING: Final = re.compile(rb";\s*dur\s*=\s*\"?([^\s\";,]+)", re.IGNORECASE)
_MAX_DURATION: Final = 86_400_000.0
_MAX_TIMING: Final = 2_048
"""The longest `server-timing` that is read: each proxy on the way adds its own."""


def _joined(pairs: list[tuple[bytes, bytes]]) -> RawHeaders:
    """Returns the headers by lowercase name. The values of a repeated name are joined by `, `, as in the SDK."""
    found: dict[bytes, bytes] = {}
    for name, value in pairs:
        lower = name.lower()
        found[lower] = found[lower] + b", " + value if lower in found else value
    return found


def identifier(value: bytes | None) -> str | None:
    """Returns the value of a header as text if it is printable ASCII of 1 to 128 characters, else `None`.

    If all values of a repeated header are the same, in 128 characters together, it is that value: a gateway may copy
    headers twice. If they differ, it is all of them, joined by commas.
    """
    if not value or len(value) > _MAX_ID or not value.isascii():
        return None
    text = (_told_once(value) if _COMMA in value else value).decode("ascii")
    return text if text and text.isprintable() else None


def retry_after(headers: RawHeaders, now: float) -> float | None:
    """Returns the seconds that the server asks to wait before a retry, or `None`. More than 366 days count as 366 days.

    Like the SDK, takes `retry-after-ms` if it is a number, else `retry-after` as seconds, else `retry-after` as a date.
    `None` if none of them is valid. `None` too, and the next one is not tried, if the one taken is not above 0, or is a
    date that is not after `now`, the current time in seconds since the epoch.
    """
    milliseconds, told = _number(headers.get(b"retry-after-ms")), headers.get(b"retry-after")
    seconds = milliseconds / 1000 if milliseconds is not None else _number(told)
    if seconds is None and (date := _date(told)) is not None:
        seconds = date - now
    # Not a number is not positive either.
    return min(seconds, _MAX_SECONDS) if seconds is not None and seconds > 0 else None


def should_retry(status: int, headers: RawHeaders) -> bool:
    """Returns whether the SDK retries an error response with this status and these headers if it has a retry left.

    `x-should-retry` decides if it is `true` or `false`. Else 408, 409, 429 and all from 500 are retried. Not to be
    asked for a 2xx, which the SDK never retries. An SDK client that the app has changed may go by another rule.
    """
    told = headers.get(b"x-should-retry")
    if told in (b"true", b"false"):
        return told == b"true"
    return status in (408, 409, 429) or status >= 500


class RateLimitNames(NamedTuple):
    """The full lowercase names that the headers of one kind of rate limit have. A response need not have all of them.

    `limit`, `remaining`, `utilization` and `reset` are these names. `kind` is the name of the limit as it is recorded,
    such as `input_tokens` or `unified_5h`: the words before the last one, without `anthropic` and `ratelimit`.
    """

    kind: str
    limit: bytes
    remaining: bytes
    utilization: bytes
    reset: bytes


_RATELIMIT: Final = re.compile(
    rb"(anthropic-(?:ratelimit-|(?=priority-|fast-))((?:[a-z0-9_]+-){1,4}))(?:limit|remaining|utilization)", re.ASCII
)
_MAX_RATELIMIT_NAME: Final = 64
_MAX_KNOWN: Final = 32
_known_names: dict[tuple[bytes, ...], tuple[RateLimitNames, ...]] = {}
"""A cache of `_find_names`: most responses have the same header names, and a look-up takes a tenth of the time."""


def rate_limit_names(headers: RawHeaders) -> tuple[RateLimitNames, ...]:
    """Returns one entry per kind of rate limit in `headers`, in the order of the headers; empty without any.

    The server chooses the kinds, and there may be as many as there are headers. A kind counts if one of its headers is
    a limit, a remaining or a utilization, and that header's name has at most 64 bytes. The values of the headers are
    not looked at.
    """
    names = tuple(headers)
    found = _known_names.get(names)
    return found if found is not None else _find_names(names)


def _find_names(names: tuple[bytes, ...]) -> tuple[RateLimitNames, ...]:
    matches = [_RATELIMIT.fullmatch(name) for name in names if len(name) <= _MAX_RATELIMIT_NAME]
    # A dictionary keeps each kind once, in the order of the headers.
    kinds = {match[1]: match[2] for match in matches if match is not None}
    found = tuple(
        RateLimitNames(
            kind[:-1].decode("ascii").replace("-", "_"),
            *(prefix + part for part in (b"limit", b"remaining", b"utilization", b"reset")),
        )
        for prefix, kind in kinds.items()
    )
    if len(_known_names) < _MAX_KNOWN and sum(map(len, names)) <= _MAX_KNOWN * _MAX_RATELIMIT_NAME:
        _known_names[names] = found
    return found


def until_full(reset: bytes | None, date: bytes | None) -> float | None:
    """Returns the seconds from the time of a `Date` header to that of a limit's reset header; negative if it is past.

    `reset` and `date` are the values of the two headers. `None` if either is absent or not valid. Both times are by the
    server's clock.
    """
    end, start = _timestamp(reset), _date(date)
    return end - start if end is not None and start is not None else None


def share(value: bytes | None) -> float | None:
    """Parses the used share of a limit; 1 is all of it. `None` if it is absent, not a number, or not in 0..1000."""
    found = _number(value)
    return found if found is not None and 0 <= found <= _MAX_SHARE else None


_MAX_SHARE: Final = 1_000.0


def _number(value: bytes | None) -> float | None:
    """Parses a number of at most 64 bytes, as `float` does, infinity and NaN too. `None` for any other value."""
    if not value or len(value) > _MAX_NUMBER:
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _duration(value: bytes | None) -> float | None:
    """Parses and returns the milliseconds that a server took. `None` unless they are above 0 and at most a day."""
    milliseconds = _number(value)
    return milliseconds if milliseconds is not None and 0 < milliseconds <= _MAX_DURATION else None


def count(value: bytes | None) -> int | None:
    """Parses a whole number of 1 to 18 digits, which fits an OpenTelemetry integer.

    Returns `None` for any other value, and for an absent header, which is `None`. If all values of a repeated header
    are the same, in 64 bytes together, it is that number: a gateway may copy headers twice.
    """
    if not value:
        return None
    if _COMMA in value and len(value) <= _MAX_NUMBER:
        value = _told_once(value)
    return int(value) if len(value) <= _MAX_DIGITS and value.isdigit() else None


def _told_once(value: bytes) -> bytes:
    """Returns the one value of a repeated header if all its values are the same, else `value`, which joins them."""
    told = {each.strip() for each in value.split(b",")}
    return told.pop() if len(told) == 1 else value


_MAX_DIGITS: Final = 18
_COMMA: Final = ord(",")
"""As a number: up to Python 3.11 `b"," in value` makes an exception and drops it, which takes 1,800 instructions."""


def _date(value: bytes | None) -> float | None:
    """Parses an HTTP date, or another form that `email.utils` knows, into seconds since the epoch.

    `None` if it is absent or not valid.
    """
    if not value or len(value) > _MAX_NUMBER:
        return None
    # Not at the top of the module: dates are rare, and the import takes 7 ms.
    import email.utils

    try:
        date = email.utils.parsedate_tz(value.decode("latin-1"))
        return None if date is None else float(email.utils.mktime_tz(date))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _timestamp(value: bytes | None) -> float | None:
    """Parses an RFC 3339 time, or a whole number of seconds, into seconds since the epoch.

    `None` if it is absent, not valid, or a time without a time zone.
    """
    if not value or len(value) > _MAX_NUMBER:
        return None
    seconds = count(value)
    if seconds is not None:
        return float(seconds)
    from datetime import datetime

    try:
        # Python 3.10 does not read a `Z`.
        moment = datetime.fromisoformat(value.decode("ascii").replace("Z", "+00:00"))
        return moment.timestamp() if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
