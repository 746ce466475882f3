"""What the response headers say, whatever a server puts into them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_otel._core import headers
from anthropic_otel._core.semconv import RATELIMIT_KINDS

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
YEAR = 366 * 86_400.0


def test_names_are_lowercase_and_the_last_of_two_counts() -> None:
    """Header names have no case; a proxy that repeats one has the last word."""
    raw = [(b"Request-ID", b"first"), (b"REQUEST-id", b"last")]
    assert headers.by_name(raw) == {b"request-id": b"last"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"req_011CSHoEeqs5C35K2UUqR7Fy", "req_011CSHoEeqs5C35K2UUqR7Fy"),
        (b"x" * 128, "x" * 128),
        (b"x" * 129, None),
        (b"", None),
        (b"req\r\nset-cookie: a=b", None),
        (b"req\x00", None),
        (b"req\x1b[2J", None),
        (b"req\x7f", None),
        ("réq".encode(), None),
        (b"\xff\xfe", None),
    ],
)
def test_an_identifier_is_short_printable_ascii(value: bytes, expected: str | None) -> None:
    """Anything else is no id, and nobody's text gets into telemetry by way of one."""
    assert headers.identifier(value) == expected


def test_an_absent_identifier_is_none() -> None:
    """A response need not have one."""
    assert headers.identifier(None) is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({}, None),
        ({b"retry-after": b"7"}, 7.0),
        ({b"retry-after": b"0.25"}, 0.25),
        ({b"retry-after": b" 7 "}, 7.0),
        ({b"retry-after": b"1e2"}, 100.0),
        ({b"retry-after": b"0"}, None),
        ({b"retry-after": b"-5"}, None),
        ({b"retry-after": b"nan"}, None),
        ({b"retry-after": b"inf"}, YEAR),
        ({b"retry-after": b"-inf"}, None),
        ({b"retry-after": b"1e308"}, YEAR),
        ({b"retry-after": b"1e999"}, YEAR),
        ({b"retry-after": b"9" * 64}, YEAR),
        ({b"retry-after": b"9" * 65}, None),
        ({b"retry-after": b"soon"}, None),
        ({b"retry-after": b"0x10"}, None),
        ({b"retry-after": b"7 seconds"}, None),
        ({b"retry-after": b""}, None),
        ({b"retry-after": b"\xff\xfe"}, None),
        ({b"retry-after": "７".encode()}, None),
        ({b"retry-after": b"Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({b"retry-after": b"Tue, 14 Nov 2023 23:13:50 +0100"}, 30.0),
        ({b"retry-after": b"Tuesday, 14-Nov-23 22:13:50 GMT"}, 30.0),
        ({b"retry-after": b"Tue, 14 Nov 2023 22:13:00 GMT"}, None),
        ({b"retry-after": b"Tue, 14 Nov 9999 22:13:00 GMT"}, YEAR),
        ({b"retry-after": b"Tue, 14 Foo 2023 22:13:50 GMT"}, None),
        ({b"retry-after": b"2023-11-14T22:13:50Z"}, None),
        ({b"retry-after": b"Tue, 14 Nov 99999999999999999 22:13:00 GMT"}, None),
        ({b"retry-after": b", , , , "}, None),
        ({b"retry-after-ms": b"1500"}, 1.5),
        ({b"retry-after-ms": b"1500", b"retry-after": b"7"}, 1.5),
        ({b"retry-after-ms": b"soon", b"retry-after": b"7"}, 7.0),
        ({b"retry-after-ms": b"0", b"retry-after": b"7"}, None),
        ({b"retry-after-ms": b"-1", b"retry-after": b"7"}, None),
        ({b"retry-after-ms": b"nan", b"retry-after": b"7"}, None),
    ],
)
def test_retry_after_is_what_the_server_asks_for(raw: headers.RawHeaders, expected: float | None) -> None:
    """Milliseconds first, then seconds, then a date; what is not a positive time is no request to wait."""
    assert headers.retry_after(raw, NOW) == pytest.approx(expected)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529, 599])
def test_a_status_that_the_sdk_retries(status: int) -> None:
    """Unless the server says otherwise."""
    assert headers.should_retry(status, {})
    assert not headers.should_retry(status, {b"x-should-retry": b"false"})


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_status_that_the_sdk_does_not_retry(status: int) -> None:
    """Unless the server says otherwise; a word that it does not know changes nothing."""
    assert not headers.should_retry(status, {})
    assert headers.should_retry(status, {b"x-should-retry": b"true"})
    assert not headers.should_retry(status, {b"x-should-retry": b"maybe"})


def limits(**values: bytes) -> list[headers.RateLimit]:
    return list(
        headers.rate_limits({f"anthropic-ratelimit-{name.replace('_', '-')}".encode(): v for name, v in values.items()})
    )


def test_each_kind_of_rate_limit_is_told() -> None:
    """Every kind of the closed list, with its limit, what is left and its reset time."""
    raw = {
        f"anthropic-ratelimit-{kind.replace('_', '-')}-{part}".encode(): value
        for kind in RATELIMIT_KINDS
        for part, value in (("limit", b"50"), ("remaining", b"49"), ("reset", b"2023-11-14T22:13:21Z"))
    }
    assert list(headers.rate_limits(raw)) == [headers.RateLimit(kind, 50, 49, NOW + 1) for kind in RATELIMIT_KINDS]


def test_a_response_without_rate_limits_has_none() -> None:
    """A kind that the API does not have is not made up from a header that looks like one."""
    assert limits() == []
    assert limits(surprises_limit=b"5") == []
    assert limits(requests_reset=b"2023-11-14T22:13:21Z") == []


@pytest.mark.parametrize(
    "value", [b"", b"-1", b"1.5", b"1e3", b"+5", b" 5", b"5 ", b"nan", b"inf", b"many", b"9" * 19, b"\xff", b"\xd9\xa3"]
)
def test_a_malformed_count_is_absent(value: bytes) -> None:
    """What is no whole number of at most 18 digits is not reported; the rest of the kind is."""
    assert limits(requests_limit=value, requests_remaining=b"3") == [headers.RateLimit("requests", None, 3, None)]
    assert limits(requests_limit=value) == []


def test_the_largest_count_fits_an_integer_of_opentelemetry() -> None:
    """Protobuf's integers have 64 bits."""
    [limit] = limits(tokens_limit=b"9" * 18)
    assert limit.limit is not None
    assert limit.limit < 2**63


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"2023-11-14T22:13:20Z", NOW),
        (b"2023-11-14T22:13:20+00:00", NOW),
        (b"2023-11-15T00:13:20+02:00", NOW),
        (b"2023-11-14T22:13:20.500000Z", NOW + 0.5),
        (b"2023-11-14T22:13:20", None),
        (b"2023-11-14", None),
        (b"2023-99-99T22:13:20Z", None),
        (b"99999-11-14T22:13:20Z", None),
        (b"1700000000", None),
        (b"tomorrow", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b"2023-11-14T22:13:20Z" + b" " * 64, None),
    ],
)
def test_a_reset_time_is_an_rfc_3339_time(value: bytes, expected: float | None) -> None:
    """With its offset; what is none leaves the limit itself known."""
    [limit] = limits(requests_limit=b"5", requests_reset=value)
    assert limit.reset == expected


_NAMES = st.sampled_from(
    [b"retry-after", b"retry-after-ms", b"x-should-retry", b"request-id"]
    + [
        f"anthropic-ratelimit-{kind}-{part}".encode()
        for kind in ("requests", "input-tokens")
        for part in ("limit", "remaining", "reset")
    ]
)
_NEARLY = st.text(alphabet="0123456789 ,:-+.TZeGMTMonJanDec", max_size=40).map(str.encode)


@given(st.dictionaries(_NAMES, st.binary(max_size=80) | _NEARLY), st.integers(100, 999))
def test_no_header_raises(raw: dict[bytes, bytes], status: int) -> None:
    """Whatever bytes a server sends, each reader answers, within its bounds."""
    seconds = headers.retry_after(raw, NOW)
    assert seconds is None or 0 < seconds <= YEAR
    assert headers.should_retry(status, raw) in (True, False)
    identifier = headers.identifier(raw.get(b"request-id"))
    assert identifier is None or (len(identifier) <= 128 and identifier.isprintable())
    for limit in headers.rate_limits(raw):
        assert limit.kind in RATELIMIT_KINDS
        assert limit.limit is None or 0 <= limit.limit < 2**63
