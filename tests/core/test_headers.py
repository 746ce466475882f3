"""What the response headers say, whatever a server puts into them."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_otel._core import headers as h

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
YEAR = 366 * 86_400.0


def test_names_are_lowercase_and_several_values_of_one_are_joined() -> None:
    """Header names have no case, and the values of a repeated one are read as the SDK reads them."""
    raw = [(b"Request-ID", b"first"), (b"Retry-After", b"7"), (b"REQUEST-id", b"last")]
    found = {b"request-id": b"first, last", b"retry-after": b"7"}
    assert h.by_name(raw) == found
    assert h.by_name(iter(raw)) == found
    sdk = httpx.Headers(raw)
    assert {name.lower().encode(): value.encode() for name, value in sdk.items()} == found


def test_names_that_occur_once_are_lowercase() -> None:
    """Of headers without a repeated name each has its value."""
    assert h.by_name([(b"Request-ID", b"r"), (b"CF-Ray", b"c")]) == {b"request-id": b"r", b"cf-ray": b"c"}


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
    assert h.identifier(value) == expected


def test_an_identifier_that_was_sent_twice_is_one() -> None:
    """A gateway copies the API's headers twice. Two different ones are both shown."""
    assert h.identifier(b"req_1, req_1") == "req_1"
    assert h.identifier(b"req_1, req_2") == "req_1, req_2"
    assert h.identifier(b", ") is None


@pytest.mark.parametrize("request_id", [b"", b"r" * 129, b"r\xff", b"r\x7f", b", "])
def test_a_request_id_that_is_not_recorded_hides_no_other(request_id: bytes) -> None:
    """Whom to ask is then known by the id of an edge, or of a platform if that of the edge is none either."""
    assert h.ResponseFacts({b"request-id": request_id, b"cf-ray": b"8-FRA"}).response_id == "8-FRA"
    both = {b"request-id": request_id, b"cf-ray": b"\xff", b"x-amzn-requestid": b"a"}
    assert h.ResponseFacts(both).response_id == "a"


def test_an_absent_identifier_is_none() -> None:
    """A response need not have one."""
    assert h.identifier(None) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
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
def test_retry_after_is_what_the_server_asks_for(headers: h.RawHeaders, expected: float | None) -> None:
    """Milliseconds first, then seconds, then a date; what is not a positive time is no request to wait."""
    assert h.retry_after(headers, NOW) == pytest.approx(expected)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529, 599])
def test_a_status_that_the_sdk_retries(status: int) -> None:
    """Unless the server says otherwise."""
    assert h.should_retry(status, {})
    assert not h.should_retry(status, {b"x-should-retry": b"false"})


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_status_that_the_sdk_does_not_retry(status: int) -> None:
    """Unless the server says otherwise; a word that it does not know changes nothing."""
    assert not h.should_retry(status, {})
    assert h.should_retry(status, {b"x-should-retry": b"true"})
    assert not h.should_retry(status, {b"x-should-retry": b"maybe"})


def kinds(*names: str) -> list[str]:
    return [found.kind for found in h.rate_limit_names({name.encode(): b"1" for name in names})]


def test_each_kind_of_rate_limit_is_named_once() -> None:
    """By its headers, in their order, whatever the API calls it."""
    found = h.rate_limit_names(
        dict.fromkeys((b"date", b"anthropic-fast-input-tokens-remaining", b"anthropic-fast-input-tokens-limit"), b"1")
    )
    prefix = b"anthropic-fast-input-tokens-"
    parts = (prefix + part for part in (b"limit", b"remaining", b"utilization", b"reset"))
    assert found == (h.RateLimitNames("fast_input_tokens", *parts),)
    assert kinds("anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-x-remaining") == ["tokens", "x"]
    assert kinds("anthropic-priority-output-tokens-limit") == ["priority_output_tokens"]
    assert kinds("anthropic-ratelimit-unified-5h-utilization") == ["unified_5h"]


def test_a_response_without_rate_limits_names_none() -> None:
    """A time or a word alone is no limit, and what only looks like a kind is none."""
    assert kinds("date", "request-id", "anthropic-organization-id", "anthropic-ratelimit-requests-reset") == []
    assert kinds("anthropic-ratelimit-unified-status", "anthropic-other-limit", "x-anthropic-ratelimit-a-limit") == []
    assert kinds("anthropic-ratelimit-limit", "anthropic-fast-limit", "anthropic-ratelimit-a-b-c-d-e-limit") == ["fast"]
    assert kinds("anthropic-ratelimit-" + "x" * 64 + "-limit", "anthropic-ratelimit-X-limit") == []


def test_names_of_headers_are_kept_within_bounds() -> None:
    """A server may send others each time, and long ones."""
    for number in range(100):
        assert kinds(f"anthropic-ratelimit-k{number}-limit", "x" * 10_000) == [f"k{number}"]
    assert sum(len(name) for names in h._known_names for name in names) < 100_000


@pytest.mark.parametrize(
    "value", [b"", b"-1", b"1.5", b"1e3", b"+5", b" 5", b"5 ", b"nan", b"inf", b"many", b"9" * 19, b"\xff", b"\xd9\xa3"]
)
def test_a_malformed_count_is_absent(value: bytes) -> None:
    """It is a whole number of at most 18 digits, which fits the 64 bits of an integer of OpenTelemetry's."""
    assert h.count(value) is None
    assert h.count(b"9" * 18) == 10**18 - 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"50, 50", 50), (b"0,0, 0", 0), (b"50, 49", None), (b"50, ", None), (b", ".join([b"9" * 18] * 4), None)],
)
def test_a_count_that_is_sent_more_than_once_is_that_count(value: bytes, expected: int | None) -> None:
    """A gateway may copy the API's headers twice. Two different numbers are none."""
    assert h.count(value) == expected


@pytest.mark.parametrize("value", [None, b"", b"-0.1", b"nan", b"inf", b"1e9", b"much", b"\xff", b"0." + b"1" * 64])
def test_a_malformed_share_is_absent(value: bytes | None) -> None:
    """It is a number from 0, and may be more than 1."""
    assert h.share(value) is None
    assert [h.share(each) for each in (b"0", b"0.25", b"1.02")] == [0, 0.25, 1.02]


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
        (b"1700000000", NOW),
        (b"tomorrow", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b"2023-11-14T22:13:20Z" + b" " * 64, None),
    ],
)
def test_a_reset_is_so_many_seconds_after_the_date(value: bytes, expected: float | None) -> None:
    """By RFC 3339 with its offset, or in seconds since the epoch; the date is the server's own."""
    seconds = h.until_full(value, b"Tue, 14 Nov 2023 22:13:20 GMT")
    assert seconds == (expected - NOW if expected is not None else None)
    assert h.until_full(value, b"today") is h.until_full(value, None) is None


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
def test_no_header_raises(headers: dict[bytes, bytes], status: int) -> None:
    """Whatever bytes a server sends, each reader answers, within its bounds."""
    seconds = h.retry_after(headers, NOW)
    assert seconds is None or 0 < seconds <= YEAR
    assert h.should_retry(status, headers) in (True, False)
    identifier = h.identifier(headers.get(b"request-id"))
    assert identifier is None or (len(identifier) <= 128 and identifier.isprintable())
    for names in h.rate_limit_names(headers):
        assert names.kind in ("requests", "input_tokens")
        limit, share = h.count(headers.get(names.limit)), h.share(headers.get(names.remaining))
        assert limit is None or 0 <= limit < 2**63
        assert share is None or share >= 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({b"x-envoy-upstream-service-time": b"1200"}, 1.2),
        ({b"x-envoy-upstream-service-time": b"12.5"}, 0.0125),
        ({b"server-timing": b"cache;dur=1, x-originResponse;dur=25.5"}, 0.0255),
        ({b"server-timing": b'total; DUR="7"'}, 0.007),
        ({b"x-envoy-upstream-service-time": b"x", b"server-timing": b"a;dur=3"}, 0.003),
        ({b"server-timing": b"a;dur=1e999"}, None),
        ({b"server-timing": b"a;dur=1x"}, None),
        ({b"server-timing": b"a;dur=-5"}, None),
        ({b"server-timing": b"a;dur=nan, b;dur=4"}, 0.004),
        ({b"server-timing": b"a;dur=1, " * 100 + b"origin;dur=9"}, 0.009),
        ({b"server-timing": b"a;dur=1, " * 1_000}, None),
        ({b"x-envoy-upstream-service-time": b"9" * 30}, None),
        ({b"x-envoy-upstream-service-time": b"0"}, None),
        ({b"x-envoy-upstream-service-time": b"86400001"}, None),
    ],
)
def test_the_time_that_the_server_took_is_a_plausible_number_or_none(
    headers: h.RawHeaders, seconds: float | None
) -> None:
    """A number that is cut short, or beyond a day, would be a false time."""
    found = h.ResponseFacts(headers).server_duration
    assert found == (pytest.approx(seconds) if seconds is not None else None)
