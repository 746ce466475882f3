"""What is around a request and a response: content encodings, the edge's headers, and what they say about a retry."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any, Final

import anthropic
import httpx
import pytest

from anthropic_otel.simulator import Limits, Simulator

NOW: Final = 1_800_000_000.0
HEADERS: Final = {"x-api-key": "k", "anthropic-version": "2023-06-01"}
BODY: Final[dict[str, Any]] = {
    "model": "claude-opus-5",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hi"}],
}
JSON: Final = json.dumps(BODY).encode()


@pytest.fixture
def http(sim: Simulator) -> Iterator[httpx.Client]:
    """What has no SDK between: any bytes can be sent."""
    with httpx.Client(base_url=sim.base_url, headers=HEADERS) as each:
        yield each


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_may_be_compressed(http: httpx.Client, sim: Simulator, stream: bool) -> None:
    """It is answered as the plain one, and its usage is on record."""
    body = json.dumps(BODY | {"stream": stream}).encode()
    response = http.post("/v1/messages", content=gzip.compress(body), headers={"content-encoding": "gzip"})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream" if stream else "application/json")
    [served] = sim.served
    assert served.usage is not None
    assert served.usage["output_tokens"] == 9


@pytest.mark.parametrize(
    ("content", "encoding", "status", "code"),
    [
        (JSON, "gzip", 400, "request_body_encoding_invalid"),
        (gzip.compress(JSON)[:-1], "gzip", 400, "request_body_encoding_invalid"),
        (gzip.compress(JSON) + b"x", "gzip", 400, "request_body_encoding_invalid"),
        (zlib.compress(JSON), "gzip", 400, "request_body_encoding_invalid"),
        (JSON, "rot13", 400, "request_body_encoding_unsupported"),
        (gzip.compress(JSON), "gzip, gzip", 400, "request_body_encoding_unsupported"),
        (gzip.compress(b" " * 40_000_000), "gzip", 413, "request_body_too_large_after_decoding"),
    ],
    ids=["plain", "cut", "more", "another format", "unknown", "twice", "large"],
)
def test_a_body_that_is_not_what_its_encoding_says_is_refused(
    http: httpx.Client, content: bytes, encoding: str, status: int, code: str
) -> None:
    """With the API's code, before the body is looked at."""
    response = http.post("/v1/messages", content=content, headers={"content-encoding": encoding})
    assert (response.status_code, response.json()["error"]["details"]) == (status, {"error_code": code})


def test_a_response_has_the_headers_of_the_edge(http: httpx.Client) -> None:
    """Those of recorded responses; the edge's id is another for each request, and the same in each run."""
    responses = [http.post("/v1/messages", json=BODY) for _ in range(2)]
    for response in responses:
        assert {
            "anthropic-organization-id",
            "cf-cache-status",
            "cf-ray",
            "content-security-policy",
            "request-id",
            "strict-transport-security",
            "vary",
            "x-robots-tag",
        } <= response.headers.keys()
        assert "x-should-retry" not in response.headers
    rays = [response.headers["cf-ray"] for response in responses]
    with Simulator() as sim, httpx.Client(base_url=sim.base_url, headers=HEADERS) as again:
        assert [again.post("/v1/messages", json=BODY).headers["cf-ray"] for _ in range(2)] == rays
    assert len(set(rays)) == 2


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/v1/messages", 400), ("GET", "/v1/messages", 405), ("GET", "/v1/nothing", 404)],
)
def test_a_refusal_says_that_a_retry_is_in_vain(http: httpx.Client, method: str, path: str, status: int) -> None:
    """The API's own; the platforms do not."""
    response = http.request(method, path, json={})
    assert (response.status_code, response.headers["x-should-retry"]) == (status, "false")
    assert "x-should-retry" not in http.post("/model/m/invoke", json={}).headers


def test_a_429_says_that_a_retry_is_not() -> None:
    """It says after how long too."""
    with (
        Simulator(clock=lambda: NOW, limits=Limits(requests=1)) as sim,
        anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as client,
    ):
        client.messages.create(**BODY)
        with pytest.raises(anthropic.RateLimitError) as raised:
            client.messages.create(**BODY)
        headers = raised.value.response.headers
        assert (headers["x-should-retry"], headers["retry-after"]) == ("true", "60")
