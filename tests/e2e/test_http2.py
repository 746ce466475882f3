"""Attempts over HTTP/2: clients of httpx and httpx2 that negotiate it in their TLS handshake.

The SDK's own default clients speak HTTP/1.1; one that an app has made with `http2=True` may be handed to the SDK.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from anthropic_otel._core import semconv
from support import identities
from support.apps import API_KEY, PROMPT, request_of
from support.driver import Driver
from support.stacks import HTTPCORE_STACKS, LONG, SDK_STACKS, Stack, each_of, http_client
from support.telemetry import Telemetry
from support.versions import TRACES_ITSELF

pytest.importorskip("h2", reason="h2 is not installed")

from support.http2 import BROKEN, GONE, LEAVING, LONG_STATUS, NO_STATUS, OK, REFUSED, TOO_LONG, TOO_SHORT, Http2Server

pytestmark = [
    # Connections that are broken on purpose leave sockets to the garbage collector, in the libraries below.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PHASES = {phase: phase.attribute for phase in semconv.Phase if phase is not semconv.Phase.AUTH}
"""The attribute of each phase of a send that fetches no credentials."""


stack = each_of(HTTPCORE_STACKS)


@pytest.fixture
def server() -> Iterator[Http2Server]:
    with Http2Server() as made:
        yield made


class App:
    """A bare client that is instrumented, and reads streams to their end."""

    def __init__(self, stack: Stack, driver: Driver, server: Http2Server, telemetry: Telemetry) -> None:
        self.http = http_client(stack, transport=server.transport(stack))
        self._driver, self._url = driver, f"{server.url}/v1/messages"
        telemetry.instrument_http_client(self.http)

    def read(self, content: str = PROMPT) -> bytes:
        request = self.http.build_request("POST", self._url, json=request_of(content, stream=True))
        response = self._driver(self.http.send(request, stream=True))
        try:
            chunks = response.aiter_bytes() if self._driver.asynchronous else response.iter_bytes()
            return b"".join(self._driver.read(chunks))
        finally:
            self._driver.close(response)


@pytest.fixture
def app(stack: Stack, driver: Driver, server: Http2Server, recorded: Telemetry) -> Iterator[App]:
    made = App(stack, driver, server, recorded)
    yield made
    driver.close(made.http)


def attributes(span: Any) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_an_attempt_has_every_phase_and_the_version(app: App, server: Http2Server, recorded: Telemetry) -> None:
    """The first one connects; the second one is another stream of the same connection."""
    assert b"message_stop" in app.read()
    assert b"message_stop" in app.read()
    first, second = map(attributes, recorded.attempts)
    for each in (first, second):
        assert each[semconv.NETWORK_PROTOCOL_VERSION] == "2"
        assert each[semconv.ATTEMPT_OUTCOME] == "completed"
        assert each[semconv.STREAM_COMPLETE] is True
    assert [each[semconv.REQUEST_ID] for each in (first, second)] == ["req_1", "req_2"]
    assert first[semconv.CONNECTION_REUSED] is False
    assert {name for name in first if name.startswith(semconv.PHASE_PREFIX)} == set(PHASES.values())
    assert first[semconv.NETWORK_PEER_ADDRESS] == "127.0.0.1"
    assert second[semconv.CONNECTION_REUSED] is True
    assert {PHASES[semconv.Phase.CONNECT], PHASES[semconv.Phase.TLS]}.isdisjoint(second)
    contexts = [f"{span.context.span_id:016x}" for span in recorded.attempts]
    assert [headers["traceparent"].split("-")[2] for headers in server.headers] == contexts
    identities.check(recorded)


@pytest.mark.parametrize(
    ("order", "cause", "phase"),
    [
        (REFUSED, "stream_reset", "wait"),
        (GONE, "server_disconnected", "wait"),
        (BROKEN, "stream_reset", "receive"),
    ],
)
def test_a_stream_that_the_server_ends_has_its_cause(
    app: App, stack: Stack, server: Http2Server, recorded: Telemetry, order: str, cause: str, phase: str
) -> None:
    """A RST_STREAM before or in the response, or a GOAWAY; the connection may be whole."""
    server.plan[:] = [order]
    with pytest.raises(stack.module.RemoteProtocolError):
        app.read()
    [attempt] = map(attributes, recorded.attempts)
    assert attempt[semconv.ERROR_TYPE] == attempt[semconv.NETWORK_CAUSE] == cause
    assert attempt[semconv.NETWORK_PHASE] == phase
    assert attempt[semconv.ATTEMPT_OUTCOME] == "failed"
    assert attempt.get(semconv.HTTP_RESPONSE_STATUS_CODE) == (200 if phase == "receive" else None)
    identities.check(recorded)


@pytest.mark.parametrize(("order", "cause"), [(TOO_SHORT, "incomplete_body"), (TOO_LONG, "protocol_error")])
def test_a_body_of_another_length_than_its_headers_say_has_the_words_of_http_1(
    app: App, server: Http2Server, recorded: Telemetry, order: str, cause: str
) -> None:
    """What is missing was not sent. What is too much is no HTTP. The client may raise what h2 does, or wrap it."""
    server.plan[:] = [order]
    with pytest.raises(Exception, match=r".") as raised:
        app.read()
    assert "InvalidBodyLengthError" in repr((raised.value, raised.value.__cause__))
    [attempt] = map(attributes, recorded.attempts)
    assert attempt[semconv.ERROR_TYPE] == attempt[semconv.NETWORK_CAUSE] == cause
    identities.check(recorded)


def test_an_answer_that_comes_with_a_goaway_is_a_connection_that_is_over(
    app: App, stack: Stack, server: Http2Server, recorded: Telemetry
) -> None:
    """A gateway that restarts sends both in one packet. The client takes only the GOAWAY of it."""
    server.plan[:] = [LEAVING]
    with pytest.raises(stack.module.LocalProtocolError):
        app.read()
    [attempt] = map(attributes, recorded.attempts)
    assert attempt[semconv.ERROR_TYPE] == attempt[semconv.NETWORK_CAUSE] == "server_disconnected"
    assert attempt[semconv.NETWORK_PHASE] == "wait"
    identities.check(recorded)


def test_a_status_that_is_no_number_is_no_http(app: App, server: Http2Server, recorded: Telemetry) -> None:
    """The library raises what Python's `int` does."""
    server.plan[:] = [NO_STATUS]
    with pytest.raises(ValueError, match="invalid literal"):
        app.read()
    [attempt] = map(attributes, recorded.attempts)
    assert attempt[semconv.ERROR_TYPE] == attempt[semconv.NETWORK_CAUSE] == "protocol_error"
    assert attempt[semconv.NETWORK_PHASE] == "wait"
    identities.check(recorded)


def test_a_status_that_http_does_not_have_is_neither_a_number_nor_a_class(
    app: App, server: Http2Server, recorded: Telemetry
) -> None:
    """No exporter can encode a number of more than 64 bits. The library passes it on, and the SDK raises for it."""
    server.plan[:] = [LONG_STATUS]
    app.read()
    [attempt] = map(attributes, recorded.attempts)
    assert attempt[semconv.ERROR_TYPE] == "5" * 30
    assert not attempt.keys() & {semconv.HTTP_RESPONSE_STATUS_CODE, semconv.ATTEMPT_STATUS_CLASS}
    identities.check(recorded)


def test_a_server_that_takes_no_more_of_a_request_is_a_write_timeout(
    app: App, stack: Stack, recorded: Telemetry
) -> None:
    """The client reads until it is told that it may send more. No answer can be late: the request is not there yet."""
    app.http.timeout = stack.module.Timeout(LONG, read=0.5)
    with pytest.raises(stack.module.ReadTimeout):
        # The server takes as much as it must without being asked, 64 KB, and no more.
        app.read("x" * 70_000)
    [attempt] = map(attributes, recorded.attempts)
    assert attempt[semconv.ERROR_TYPE] == attempt[semconv.NETWORK_CAUSE] == "write_timeout"
    assert attempt[semconv.NETWORK_PHASE] == "send"
    identities.check(recorded)


def test_a_refused_stream_leaves_the_connection_to_the_next_one(
    app: App, stack: Stack, server: Http2Server, recorded: Telemetry
) -> None:
    """What HTTP/2 resets is one stream."""
    server.plan[:] = [REFUSED, OK]
    with pytest.raises(stack.module.RemoteProtocolError):
        app.read()
    app.read()
    assert [attributes(span)[semconv.CONNECTION_REUSED] for span in recorded.attempts] == [False, True]


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("stack", [each for each in SDK_STACKS if not each.aiohttp], ids=lambda each: each.name)
def test_the_sdk_retries_a_refused_stream(
    stack: Stack, driver: Driver, server: Http2Server, recorded: Telemetry
) -> None:
    """On a client with HTTP/2 that it was handed: two attempts of one call, over one connection."""
    server.plan[:] = [REFUSED, OK]
    recorded.instrument()
    http = http_client(stack, transport=server.transport(stack))
    cls = anthropic.AsyncAnthropic if stack.asynchronous else anthropic.Anthropic
    options: dict[str, Any] = {"open_telemetry": {"tracer_provider": recorded.tracer_provider}} if TRACES_ITSELF else {}
    client = cls(base_url=server.url, api_key=API_KEY, http_client=http, max_retries=1, **options)
    driver.read(driver(client.messages.create(stream=True, **request_of())))
    first, second = map(attributes, recorded.attempts)
    assert (second[semconv.CONNECTION_REUSED], second[semconv.NETWORK_PROTOCOL_VERSION]) == (True, "2")
    identities.check(recorded, calls=1)
    driver.close(http)
    assert (first[semconv.ERROR_TYPE], second[semconv.RETRY_REASON]) == ("stream_reset", "stream_reset")
