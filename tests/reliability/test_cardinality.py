"""Whatever models, hosts, paths, statuses and headers a process meets, its metrics stay within their bounds."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

import anthropic
import pytest
from opentelemetry.sdk.metrics.export import DataPointT

from anthropic_otel._otel.attributes import MAX_ADDRESSES, MAX_MODELS, MAX_SETS
from reliability import interrupting
from reliability.sdk_http import httpx
from support.apps import request_of
from support.telemetry import Telemetry

SDK_LIMIT: Final = 2_000
"""The attribute sets of one metric beyond which the OpenTelemetry SDK drops what tells them apart."""

HOSTILE: Final = (
    b"",
    b"\x00\x01\x02",
    b"\xff\xfe\xf0\x28\x8c\x28",
    b"9" * 400,
    b"-1",
    b"1e309",
    b"nan",
    b"Infinity",
    b"0x10",
    b"x" * 100_000,
    "٣".encode(),
    b"Wed, 99 Foo 2026 99:99:99 GMT",
    b"2026-13-45T99:99:99Z",
    b"9999-12-31T23:59:59-99:99",
    b"{{7*7}}",
    b"text/event-stream\x00",
)
READ: Final = (
    b"request-id",
    b"anthropic-organization-id",
    b"retry-after",
    b"retry-after-ms",
    b"x-should-retry",
    b"anthropic-ratelimit-requests-limit",
    b"anthropic-ratelimit-requests-remaining",
    b"anthropic-ratelimit-requests-reset",
    b"anthropic-ratelimit-tokens-limit",
    b"anthropic-ratelimit-tokens-reset",
    b"content-encoding",
    b"content-type",
)
"""The headers that the library looks at."""


class Hostile(httpx.BaseTransport):
    """A server that answers with any status, and with hostile values in the headers that the library reads."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def handle_request(self, request: Any) -> Any:
        status = self._chance.choice((200, 200, self._chance.randrange(200, 600)))
        headers = [(name, self._chance.choice(HOSTILE)) for name in READ if name != b"content-encoding"]
        stream = interrupting.Body((b"{}",), lambda: None)
        response = httpx.Response(status, stream=stream, extensions={"http_version": b"HTTP/\xff"})
        response.headers = httpx.Headers(headers)
        return response


def words(chance: random.Random) -> Iterator[str]:
    """Distinct names, some of them very long, some with control characters."""
    for number in itertools.count():
        yield f"{number}-{chance.choice(('model', 'x' * 300, 'a b', chr(7), 'ü'))}"


def flood(recorded: Telemetry, number: int) -> None:
    """So many calls, each of another model, from another host, to another operation, with another status."""
    chance = random.Random(7)
    names = words(chance)
    recorded.instrument()
    transport = Hostile(chance)
    paths = ("/v1/messages", "/v1/messages/count_tokens", "/v1/models/{}", "/v1/messages/batches/{}", "/{}", "/v1/{}/x")
    http = httpx.Client(transport=transport)
    client = anthropic.Anthropic(api_key="none", http_client=http, max_retries=0, base_url="http://a.test")
    for at in range(number):
        name = next(names)
        client.base_url = f"http://host-{at}.test"
        try:
            if at % 2:
                client.messages.create(**request_of(stream=at % 4 == 1) | {"model": name})
            else:
                client.post(chance.choice(paths).format(at), body={"model": name}, cast_to=object)
        except (anthropic.APIError, httpx.HTTPError, ValueError):
            continue


def check(recorded: Telemetry) -> dict[str, int]:
    """The number of series of each metric: below the SDK's limit, and every value of a label within its bound."""
    data = recorded.reader.get_metrics_data()
    assert data is not None
    series = {}
    for metric in (each for scope in data.resource_metrics[0].scope_metrics for each in scope.metrics):
        points: Sequence[DataPointT] = metric.data.data_points
        series[metric.name] = len(points)
        values: dict[str, set[Any]] = {}
        for point in points:
            for name, value in (point.attributes or {}).items():
                values.setdefault(name, set()).add(value)
        assert len(values.get("gen_ai.request.model", ())) <= MAX_MODELS + 1
        assert len(values.get("server.address", ())) <= MAX_ADDRESSES + 1
        assert all(len(str(value)) <= 128 for found in values.values() for value in found)
        assert all(str(value).isprintable() for found in values.values() for value in found)
        assert "otel.metric.overflow" not in values
    assert max(series.values()) < SDK_LIMIT
    return series


def test_the_number_of_series_is_bounded(recorded: Telemetry) -> None:
    """More distinct models, hosts and headers than the SDK's limit: the series stay below it, and nothing raises."""
    flood(recorded, 2_500)
    series = check(recorded)
    assert series["anthropic.client.attempt.duration"] > MAX_MODELS


@pytest.mark.slow
def test_the_number_of_series_is_bounded_for_ever(recorded: Telemetry) -> None:
    """The same with ten thousand."""
    flood(recorded, 10_000)
    series = check(recorded)
    assert series["anthropic.client.attempt.duration"] <= MAX_SETS + 400
