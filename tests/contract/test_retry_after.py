"""How long the SDK waits for a `retry-after`, and that the library reads the header the same way."""

from __future__ import annotations

import math
import time
from typing import Any

import anthropic
import pytest

from anthropic_otel._core import headers as h
from anthropic_otel._core import retrying

CASES: tuple[dict[str, str], ...] = (
    {},
    {"retry-after": "7"},
    {"retry-after": "0.25"},
    {"retry-after": "1e2"},
    {"retry-after": "1_000"},
    {"retry-after": "0"},
    {"retry-after": "-5"},
    {"retry-after": "soon"},
    {"retry-after": "7 seconds"},
    {"retry-after": ""},
    {"retry-after": "0x10"},
    {"retry-after": "Tue, 14 Nov 2034 22:13:50 GMT"},
    {"retry-after": "Tue, 14 Nov 2034 23:13:50 +0100"},
    {"retry-after": "Tue, 14 Nov 2034 23:13:50"},
    {"retry-after": "Tuesday, 14-Nov-34 22:13:50 GMT"},
    {"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"},
    {"retry-after": "Tue, 99 Nov 2034 22:13:50 GMT"},
    {"retry-after": "Tue, 14 Foo 2034 22:13:50 GMT"},
    {"retry-after": "2034-11-14T22:13:50Z"},
    {"retry-after-ms": "1500"},
    {"retry-after-ms": "1500", "retry-after": "7"},
    {"retry-after-ms": "soon", "retry-after": "7"},
    {"retry-after-ms": "", "retry-after": "7"},
    {"retry-after-ms": "0", "retry-after": "7"},
    {"retry-after-ms": "-1", "retry-after": "7"},
    {"retry-after-ms": "nan", "retry-after": "7"},
    {"retry-after-ms": "soon", "retry-after": "Tue, 14 Nov 2034 22:13:50 GMT"},
)


@pytest.fixture(scope="module")
def client() -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="test", base_url="http://127.0.0.1:1")


def _http_headers(client: anthropic.Anthropic, headers: dict[str, str]) -> object:
    return client._client.build_request("POST", "/", headers=headers).headers


@pytest.mark.parametrize("headers", CASES, ids=str)
def test_retry_after_is_read_as_the_sdk_reads_it(client: anthropic.Anthropic, headers: dict[str, str]) -> None:
    """The precedence of the two headers, numbers, dates and what is none of these."""
    theirs = client._parse_retry_after_header(_http_headers(client, headers))  # type: ignore[arg-type]
    ours = h.retry_after({name.encode(): value.encode() for name, value in headers.items()}, time.time())
    if theirs is None or math.isnan(theirs) or theirs <= 0:
        assert ours is None
    else:
        # A date lies years ahead, and each side asks the clock by itself. Beyond a year it is cut off.
        assert ours == pytest.approx(min(theirs, 366 * 86_400), abs=5)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 408, 409, 413, 422, 429, 499, 500, 503, 529])
@pytest.mark.parametrize("told", [None, "true", "false", "TRUE", "maybe"])
def test_a_retry_is_expected_where_the_sdk_makes_one(
    client: anthropic.Anthropic, status: int, told: str | None
) -> None:
    """By the status, unless the server tells it in `x-should-retry`."""
    headers = {} if told is None else {"x-should-retry": told}
    request = client._client.build_request("POST", "/")
    response_class = type(request).__module__.partition(".")[0]
    response = __import__(response_class).Response(status, headers=headers, request=request)
    ours = h.should_retry(status, {name.encode(): value.encode() for name, value in headers.items()})
    assert ours is client._should_retry(response)


@pytest.mark.parametrize("name", ["_should_retry", "_calculate_retry_timeout"])
def test_what_decides_on_a_retry_is_a_method_of_the_sdk(client: anthropic.Anthropic, name: str) -> None:
    """That an app has put its own in its place is told by the module that the method is of."""
    assert getattr(client, name).__module__.startswith("anthropic.")


@pytest.mark.parametrize("module", ["anthropic", "anthropic.lib.credentials"])
def test_the_sdks_own_errors_of_credentials_are_not_retried(client: Any, module: str) -> None:
    """The SDK raises them as they are within a send."""
    if not hasattr(client, "_should_retry_exception"):
        pytest.skip("this SDK asks no method whether it retries for an exception")
    names = pytest.importorskip(module, reason="this SDK fetches no credentials")
    found = [cls for name in retrying._NOT_RETRIED if (cls := getattr(names, name, None)) is not None]
    assert found
    for cls in found:
        assert client._should_retry_exception(cls("no credentials")) == (False, None)
