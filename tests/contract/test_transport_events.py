"""The events of the transport that the phases are cut by: their names, and what they bring along.

The events are those of httpcore and httpcore2, sync and async, on HTTP/1.1 and HTTP/2, over TLS and through proxies.
"""

from __future__ import annotations

import importlib.util
import re
import socket
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from anthropic_otel._core import timeline
from anthropic_otel.simulator import Simulator
from support.driver import Driver
from support.http2 import Http2Server
from support.stacks import HTTPCORE_STACKS, Stack, each_of, http_client
from support.tunnel import Tunnel

pytestmark = pytest.mark.without_sdk

CONNECTION = ["connection.connect_tcp.started", "connection.connect_tcp.complete"]
TLS = ["connection.start_tls.started", "connection.start_tls.complete"]
EXCHANGE = [f"send_request_{part}.{step}" for part in ("headers", "body") for step in ("started", "complete")] + [
    "receive_response_headers.started",
    "receive_response_headers.complete",
]
HTTP11 = [f"http11.{event}" for event in EXCHANGE]
HTTP2 = [f"http2.{event}" for event in EXCHANGE]

needs_h2 = pytest.mark.skipif(importlib.util.find_spec("h2") is None, reason="h2 is not installed")


AFTER_HEADERS = {
    f"{prefix}.{step}" for prefix in ("http11", "http2") for step in ("receive_response_body", "response_closed")
}
"""The steps of reading and closing a body, which come after a request has been answered or has failed."""


class Heard:
    """Every event of one request, as it came."""

    def __init__(self, *, asynchronous: bool) -> None:
        self.events: list[tuple[str, Any]] = []
        self.function = self._ahear if asynchronous else self._hear

    def _hear(self, name: str, info: Any) -> None:
        self.events.append((name, info))

    async def _ahear(self, name: str, info: Any) -> None:
        self.events.append((name, info))

    @property
    def handled(self) -> list[str]:
        """The names of those up to the headers that the timeline has a handler for, and of those that complete them."""
        steps = {name.rpartition(".")[0] for name in timeline._HANDLERS} - AFTER_HEADERS
        return [name for name, _ in self.events if name.rpartition(".")[0] in steps]

    def info(self, name: str) -> Any:
        return next(info for each, info in self.events if each == name)


stack = each_of(HTTPCORE_STACKS)


def ask(client: Any, driver: Driver, url: str, content: bytes = b"{}") -> Heard:
    """Sends one request and hears its events. A failure is not of interest here."""
    heard = Heard(asynchronous=driver.asynchronous)
    request = client.build_request("POST", f"{url}/v1/messages", content=content, extensions={"trace": heard.function})
    httpx = importlib.import_module(type(request).__module__.partition(".")[0])
    with suppress(httpx.TransportError):
        driver(client.send(request))
    return heard


def test_a_new_connection_is_made_and_a_used_one_is_not(stack: Stack, driver: Driver, sim: Simulator) -> None:
    """The events of connecting come first, and only where there is something to connect."""
    client = http_client(stack)
    assert ask(client, driver, sim.base_url).handled == [*CONNECTION, *HTTP11]
    assert ask(client, driver, sim.base_url).handled == HTTP11
    driver.close(client)


def test_tls_comes_between(stack: Stack, driver: Driver, sim: Simulator) -> None:
    """After the connection, before the request."""
    endpoint = sim.endpoint("ok_tls")
    client = http_client(stack, endpoint)
    assert ask(client, driver, endpoint.base_url).handled == [*CONNECTION, *TLS, *HTTP11]
    driver.close(client)


def test_what_the_events_bring_along(stack: Stack, driver: Driver, sim: Simulator) -> None:
    """The host that is connected to, the connection, the request, and the response's version, status and headers."""
    client = http_client(stack)
    heard = ask(client, driver, sim.base_url)
    assert heard.info("connection.connect_tcp.started")["host"] == "127.0.0.1"
    stream = heard.info("connection.connect_tcp.complete")["return_value"]
    assert heard.info("http11.send_request_headers.started")["request"].method == b"POST"
    version, status, _, headers, *_ = heard.info("http11.receive_response_headers.complete")["return_value"]
    assert (version, status) == (b"HTTP/1.1", 401)
    assert [name.lower() for name, _ in headers].count(b"request-id") == 1
    assert stream.get_extra_info("server_addr") == ("127.0.0.1", int(sim.base_url.rpartition(":")[2]))
    driver.close(client)


def test_a_failure_brings_its_exception(stack: Stack, driver: Driver, sim: Simulator) -> None:
    """`failed` instead of `complete`, at the step that failed."""
    endpoint = sim.endpoint("connection_refused")
    client = http_client(stack, endpoint)
    heard = ask(client, driver, endpoint.base_url)
    assert heard.handled == ["connection.connect_tcp.started", "connection.connect_tcp.failed"]
    assert isinstance(heard.info("connection.connect_tcp.failed")["exception"], Exception)
    driver.close(client)


def test_a_request_that_cannot_be_sent_whole_is_still_listened_for(
    stack: Stack, driver: Driver, sim: Simulator
) -> None:
    """`send_request_body.failed`, and then the events of the response, so that a failed write is not the end."""
    endpoint = sim.endpoint("connection_reset_in_request")
    client = http_client(stack, endpoint)
    heard = ask(client, driver, endpoint.base_url, b"x" * endpoint.needs.request_bytes)
    assert "http11.send_request_body.failed" in heard.handled
    assert heard.handled[-2:] == [
        "http11.receive_response_headers.started",
        "http11.receive_response_headers.failed",
    ]
    assert type(heard.info("http11.send_request_body.failed")["exception"]).__name__ == "WriteError"
    driver.close(client)


def test_a_unix_socket_is_connected_to_by_another_name(stack: Stack, driver: Driver) -> None:
    """The rest is the same."""
    name = "AsyncHTTPTransport" if stack.asynchronous else "HTTPTransport"
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/socket")
        listener.listen()
        server = threading.Thread(target=_answer, args=(listener,))
        server.start()
        client = http_client(stack, transport=getattr(stack.module, name)(uds=f"{folder}/socket"))
        heard = ask(client, driver, "http://localhost")
        driver.close(client)
        server.join()
    assert heard.handled == [event.replace("connect_tcp", "connect_unix_socket") for event in CONNECTION] + HTTP11


def _answer(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        while connection.recv(65536):
            pass


# -- proxies -----------------------------------------------------------------------------------------------------------


def test_a_proxy_is_sent_a_request_of_its_own(stack: Stack, driver: Driver, sim: Simulator) -> None:
    """`CONNECT`, before TLS with what is behind it, which has the proxy's name, and the real request."""
    endpoint = sim.endpoint("ok_tls")
    with Tunnel() as tunnel:
        client = http_client(stack, endpoint, proxy=tunnel.url)
        heard = ask(client, driver, endpoint.base_url)
        driver.close(client)
    assert heard.handled == [
        *CONNECTION,
        *HTTP11,
        "proxy.start_tls.started",
        "proxy.start_tls.complete",
        *HTTP11,
    ]
    requests = [info["request"] for name, info in heard.events if name == "http11.send_request_headers.started"]
    assert [request.method for request in requests] == [b"CONNECT", b"POST"]


@pytest.mark.parametrize("name", ["proxy_407", "proxy_502"])
def test_a_tunnel_that_is_refused_is_answered(stack: Stack, driver: Driver, sim: Simulator, name: str) -> None:
    """The proxy's answer to `CONNECT` comes as a response's headers do, and no further request follows."""
    endpoint = sim.endpoint(name)
    client = http_client(stack, endpoint)
    heard = ask(client, driver, endpoint.base_url)
    driver.close(client)
    requests = [info["request"] for event, info in heard.events if event == "http11.send_request_headers.started"]
    assert [request.method for request in requests] == [b"CONNECT"]
    assert heard.info("http11.receive_response_headers.complete")["return_value"][1] == int(name[-3:])


def test_every_event_that_is_handled_is_one_of_httpcores(stack: Stack) -> None:
    """Each step that the timeline has a handler for is written in the source of the transport, under that name."""
    core = importlib.import_module(stack.library.replace("httpx", "httpcore"))
    kind = "_async" if stack.asynchronous else "_sync"
    source = "".join(path.read_text("utf-8") for path in Path(str(core.__file__)).parent.joinpath(kind).glob("*.py"))
    steps = {name.rpartition(".")[0].partition(".")[2] for name in timeline._HANDLERS}
    assert steps - set(re.findall(r'Trace\(\s*"(\w+)"', source)) == set()


@pytest.mark.skipif(importlib.util.find_spec("socksio") is None, reason="socksio is not installed")
def test_a_socks_proxy_is_connected_to_by_another_name(stack: Stack, driver: Driver, sim: Simulator) -> None:
    """The connection's events, and those of TLS behind it, have the prefix `socks`, and name the proxy's host."""
    endpoint = sim.endpoint("ok_tls")
    with Tunnel() as tunnel:
        client = http_client(stack, endpoint, proxy=tunnel.socks_url)
        heard = ask(client, driver, endpoint.base_url)
        driver.close(client)
    assert heard.handled == [event.replace("connection.", "socks.") for event in [*CONNECTION, *TLS]] + HTTP11
    assert heard.info("socks.connect_tcp.started")["host"] == "127.0.0.1"
    assert hasattr(heard.info("socks.connect_tcp.complete")["return_value"], "get_extra_info")


# -- HTTP/2 ------------------------------------------------------------------------------------------------------------


@needs_h2
def test_the_events_of_http2_have_the_same_names(stack: Stack, driver: Driver) -> None:
    """Under the prefix `http2`; the response's headers come as status and headers."""
    with Http2Server() as server:
        client = http_client(stack, transport=server.transport(stack))
        heard = ask(client, driver, server.url)
        again = ask(client, driver, server.url)
        driver.close(client)
    assert heard.handled == [*CONNECTION, *TLS, *HTTP2]
    assert again.handled == HTTP2
    assert heard.info("http2.send_request_headers.started")["request"].method == b"POST"
    status, headers = heard.info("http2.receive_response_headers.complete")["return_value"]
    assert status == 200
    assert (b"request-id", b"req_1") in list(headers)


# -- the function ------------------------------------------------------------------------------------------------------


def test_the_function_must_be_of_the_clients_kind(stack: Stack, driver: Driver, sim: Simulator) -> None:
    """A coroutine function for an async client, none for a sync one; anything else is a `TypeError`."""
    client = http_client(stack)
    heard = Heard(asynchronous=not driver.asynchronous)
    made: list[Any] = []

    def function(name: str, info: Any) -> Any:
        made.append(heard.function(name, info))
        return made[-1]

    request = client.build_request("POST", sim.base_url, extensions={"trace": function})
    with pytest.raises(TypeError):
        driver(client.send(request))
    for coroutine in filter(None, made):
        coroutine.close()
    driver.close(client)
