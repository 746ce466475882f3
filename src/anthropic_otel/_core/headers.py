"""The few response headers that the library reads, and what their values mean.

Rule: headers come from a server that may be hostile. A value that is not what it should be counts as absent, its
length is bounded, and nothing here raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from anthropic_otel._core.semconv import RATELIMIT_KINDS

RawHeaders = Mapping[bytes, bytes]
"""The headers of one response by lowercase name. Of a name that occurs several times, all values, joined by commas."""

_MAX_ID: Final = 128
_MAX_NUMBER: Final = 64
_MAX_SECONDS: Final = 366 * 86_400.0


def by_name(raw: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """A response's headers by lowercase name, from a list as httpx's `headers.raw`."""
    pairs = list(raw)
    # All of them: to look each name up among those that are read takes a quarter longer.
    found = {name.lower(): value for name, value in pairs}
    return found if len(found) == len(pairs) else _joined(pairs)


class ResponseFacts(NamedTuple):
    """What is recorded of a response's headers, undecoded, as it is shared with the response. `None` is absent.

    `response_id` is what an edge or a platform calls the response, where the API's own `request_id` is missing.
    `envoy_time` and `server_timing` tell how long the server took: in milliseconds, and as a `Server-Timing` header.
    """

    request_id: bytes | None
    organization_id: bytes | None
    workspace_id: bytes | None
    response_id: bytes | None
    content_length: bytes | None
    envoy_time: bytes | None
    server_timing: bytes | None

    @property
    def server_duration(self) -> float | None:
        """The seconds that the server says it took, `None` if it says nothing."""
        milliseconds = _number(self.envoy_time)
        if milliseconds is None and self.server_timing is not None and len(self.server_timing) <= _MAX_ID:
            durations = [_number(value) for value in _SERVER_TIMING.findall(self.server_timing)]
            milliseconds = max((value for value in durations if value is not None), default=None)
        return _positive(milliseconds / 1000) if milliseconds is not None else None

    @property
    def size(self) -> int | None:
        """The size of the body in bytes, as the response tells it."""
        return count(self.content_length)


_RESPONSE_IDS: Final = (b"cf-ray", b"x-amzn-requestid", b"x-request-id", b"apim-request-id")
_SERVER_TIMING: Final = re.compile(rb";\s*dur=\"?([0-9.]+)")


def facts_of(headers: RawHeaders) -> ResponseFacts:
    """What is recorded of a response's headers."""
    get = headers.get
    request_id = get(b"request-id")
    other = None if request_id else next(filter(None, map(get, _RESPONSE_IDS)), None)
    return ResponseFacts(
        request_id,
        get(b"anthropic-organization-id"),
        get(b"anthropic-workspace-id"),
        other,
        get(b"content-length"),
        get(b"x-envoy-upstream-service-time"),
        get(b"server-timing"),
    )


def _joined(pairs: list[tuple[bytes, bytes]]) -> RawHeaders:
    """The values of a name that occurs several times joined by commas, as HTTP has it and the SDK reads it."""
    found: dict[bytes, bytes] = {}
    for name, value in pairs:
        lower = name.lower()
        found[lower] = found[lower] + b", " + value if lower in found else value
    return found


def identifier(value: bytes | None) -> str | None:
    """The value of a header that is an id: printable ASCII of up to 128 characters, else `None`."""
    if not value or len(value) > _MAX_ID or not value.isascii():
        return None
    text = value.decode("ascii")
    return text if text.isprintable() else None


def retry_after(headers: RawHeaders, now: float) -> float | None:
    """The seconds that the server asks to wait before a retry, or `None` when it asks for nothing.

    Read as the SDK reads it: `retry-after-ms`, then `retry-after` in seconds, then as a date; `now` is the time in
    seconds since the epoch that a date is compared with. A value that is not positive counts as absent.
    """
    milliseconds = _number(headers.get(b"retry-after-ms"))
    if milliseconds is not None:
        return _positive(milliseconds / 1000)
    value = headers.get(b"retry-after")
    seconds = _number(value)
    if seconds is not None:
        return _positive(seconds)
    return _positive(_until(value, now))


def should_retry(status: int, headers: RawHeaders) -> bool:
    """Whether the SDK's policy retries a response, if it has a retry left."""
    told = headers.get(b"x-should-retry")
    if told in (b"true", b"false"):
        return told == b"true"
    return status in (408, 409, 429) or status >= 500


@dataclass(frozen=True)
class RateLimit:
    """One of the API's rate limits as a response told it. `reset` is in seconds since the epoch."""

    kind: str
    limit: int | None
    remaining: int | None
    reset: float | None


RATELIMIT_MARK: Final = b"anthropic-ratelimit-requests-limit"
"""A header that every response with rate limits has. Cheap to look for; the rest is parsed at collection."""


def rate_limits(headers: RawHeaders) -> Iterator[RateLimit]:
    """The rate limits that a response tells about, one per kind. A malformed number counts as absent."""
    for kind, prefix in _RATELIMIT_PREFIXES:
        limit = count(headers.get(prefix + b"limit"))
        remaining = count(headers.get(prefix + b"remaining"))
        if limit is not None or remaining is not None:
            yield RateLimit(kind, limit, remaining, _timestamp(headers.get(prefix + b"reset")))


_RATELIMIT_PREFIXES: Final = tuple(
    (kind, f"anthropic-ratelimit-{kind.replace('_', '-')}-".encode("ascii")) for kind in RATELIMIT_KINDS
)


def _number(value: bytes | None) -> float | None:
    if not value or len(value) > _MAX_NUMBER:
        return None
    try:
        return float(value)
    except ValueError:
        return None


def count(value: bytes | None) -> int | None:
    """A whole number that is not negative and fits the 64 bits of an OpenTelemetry integer."""
    if not value or len(value) > 18 or not value.isdigit():
        return None
    return int(value)


def _positive(seconds: float | None) -> float | None:
    """`seconds` up to a bound; `None` for what is not above zero, as NaN is not."""
    return min(seconds, _MAX_SECONDS) if seconds is not None and seconds > 0 else None


def _until(value: bytes | None, now: float) -> float | None:
    if not value or len(value) > _MAX_NUMBER:
        return None
    # Not at the top of the module: dates are rare, and the import takes 7 ms.
    import email.utils

    try:
        date = email.utils.parsedate_tz(value.decode("latin-1"))
        return None if date is None else email.utils.mktime_tz(date) - now
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _timestamp(value: bytes | None) -> float | None:
    """An RFC 3339 time in seconds since the epoch. A `Z` is spelled out, as Python 3.10 does not read it."""
    if not value or len(value) > _MAX_NUMBER:
        return None
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(value.decode("ascii").replace("Z", "+00:00"))
        return moment.timestamp() if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
