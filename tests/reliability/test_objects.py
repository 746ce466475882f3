"""The app's objects stay the app's: they can be pickled and copied as before, and die when the app drops them."""

from __future__ import annotations

import copy
import pickle
import weakref
from typing import Any

import anthropic

import anthropic_otel
from anthropic_otel._adapters.marks import runtime_of
from anthropic_otel._core import instruments
from anthropic_otel._instrument import INSTRUMENTATION
from anthropic_otel.simulator import Simulator
from reliability import interrupting
from reliability.interrupting import Transport
from reliability.sdk_http import httpx
from support.apps import request_of
from support.telemetry import Telemetry
from support.waiting import collect_garbage


def test_a_response_can_be_pickled(sim: Simulator, recorded: Telemetry) -> None:
    """A response that was read, compressed or not, is a plain value again."""
    recorded.instrument()
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none") as client:
        for fault in ("ok", "ok_gzip"):
            sim.play(fault)
            response = client.messages.with_raw_response.create(**request_of()).http_response
            assert pickle.loads(pickle.dumps(response)).json() == response.json()


def test_nothing_is_kept_alive(recorded: Telemetry) -> None:
    """Clients, their HTTP clients, responses and streams die with the app's last reference."""
    recorded.instrument()
    client = interrupting.client(Transport(200))
    stream = client.messages.create(**request_of(stream=True))
    list(stream)
    references = [weakref.ref(each) for each in (client, client._client, stream, stream.response)]
    del client, stream
    collect_garbage()
    assert [reference() for reference in references] == [None] * 4


def test_a_copied_client_is_seen_once(recorded: Telemetry) -> None:
    """`with_options`, `copy` and `copy.copy` share the HTTP client: one attempt for each call."""
    recorded.instrument()
    client = interrupting.client(Transport(200))
    for each in (client, client.with_options(timeout=3), client.copy(), copy.copy(client)):
        each.messages.create(**request_of())
    assert len(recorded.attempts) == 4


def test_an_http_client_that_cannot_be_hashed(recorded: Telemetry) -> None:
    """A client class that defines equality and no hash is instrumented as any other, from its first call on."""

    class Unhashable(httpx.Client):
        def __eq__(self, other: Any) -> bool:
            return self is other

        __hash__ = None  # type: ignore[assignment]

    client = anthropic.Anthropic(api_key="none", http_client=Unhashable(transport=Transport(200)))
    recorded.instrument()
    client.messages.create(**request_of())
    assert len(recorded.attempts) == 1


def test_what_is_kept_of_clients_that_are_gone_is_bounded(recorded: Telemetry) -> None:
    """An app may make and instrument one for each of its requests. A copy of one that is gone is recorded still."""
    for _ in range(20):
        client = httpx.Client(transport=Transport(200))
        recorded.instrument_http_client(client)
        client.close()
    kept = copy.copy(client)
    del client
    collect_garbage()
    recorded.instrument_http_client(httpx.Client(transport=Transport(200)))
    assert len(INSTRUMENTATION.clients) <= 2
    assert runtime_of(kept) is not None


def test_a_class_of_clients_dies_with_its_clients(recorded: Telemetry) -> None:
    """An app may make a class for each of its tenants. One without a `send` of its own is not kept."""
    recorded.instrument()
    cls = type("OfTenant", (httpx.Client,), {})
    with anthropic.Anthropic(api_key="none", http_client=cls(transport=Transport(200))) as client:
        client.messages.create(**request_of())
    reference = weakref.ref(cls)
    del cls, client
    collect_garbage()
    assert reference() is None
    assert len(recorded.attempts) == 1


def calls(recorded: Telemetry) -> int:
    """How many calls were measured."""
    return sum(point.count for point in recorded.points(instruments.CALL_DURATION))


def test_a_copy_of_an_excluded_client_is_excluded_until_all_is_undone(recorded: Telemetry) -> None:
    """It has what its original has, as one that was made to change a header. What is instrumented later sees both."""
    recorded.instrument()
    client = interrupting.client(Transport(200))
    anthropic_otel.uninstrument(client)
    copies = [copy.copy(client._client), copy.copy(client)._client]
    for http_client in copies:
        client.with_options(http_client=http_client).messages.create(**request_of())
    assert not recorded.attempts
    anthropic_otel.uninstrument()
    recorded.instrument()
    # What looks at marks at all is that another client has one.
    anthropic_otel.uninstrument(interrupting.client(Transport(200)))
    for http_client in copies:
        client.with_options(http_client=http_client).messages.create(**request_of())
        http_client.post("http://api.test/v1/messages", headers={"anthropic-version": "2023-06-01"}, json={})
    assert [span.name for span in recorded.attempts] == ["POST /v1/messages"] * 4
    assert calls(recorded) == 2


def test_a_copy_of_an_instrumented_client_is_instrumented_until_all_is_undone(recorded: Telemetry) -> None:
    """Then it is as any other client: it is recorded with the process, and with its calls."""
    client = interrupting.client(Transport(200))
    recorded.instrument(client)
    copied = client.with_options(http_client=copy.copy(client._client))
    copied.messages.create(**request_of())
    assert len(recorded.attempts) == 1
    anthropic_otel.uninstrument()
    copied.messages.create(**request_of())
    assert len(recorded.attempts) == 1
    recorded.instrument()
    anthropic_otel.uninstrument(interrupting.client(Transport(200)))
    copied.messages.create(**request_of())
    assert (len(recorded.attempts), calls(recorded)) == (2, 2)
