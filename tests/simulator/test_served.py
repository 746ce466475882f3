"""The simulator's record of what it saw of each request and did about it."""

from __future__ import annotations

import http.client
import socket

import pytest

from anthropic_otel.simulator import (
    Chunks,
    Cut,
    Delivery,
    Encoding,
    Ending,
    ErrorEvent,
    Point,
    Reply,
    Served,
    Simulator,
    fault,
)
from support.stacks import LONG
from support.waiting import until

_BODY = b'{"model":"claude-opus-5","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'
_STREAM = b'{"model":"claude-opus-5","max_tokens":5,"messages":[{"role":"user","content":"hi"}],"stream":true}'
_KEY = {"x-api-key": "none", "anthropic-version": "2023-06-01"}


def _address(url: str) -> str:
    return url.removeprefix("http://")


def _connection(sim: Simulator) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(_address(sim.base_url), timeout=LONG)


def _served(sim: Simulator) -> Served:
    """What became of the only request, once the server is done with it."""
    until(lambda: sim.served and sim.served[0].over, every=0.001)
    [served] = sim.served
    return served


def test_an_answered_request_is_whole_both_ways(sim: Simulator) -> None:
    """The record has the request, the status and headers of the response, and that both came to their end."""
    connection = _connection(sim)
    connection.request("POST", "/v1/messages", _BODY, _KEY)
    response = connection.getresponse()
    response.read()
    served = _served(sim)
    connection.close()
    assert served.request == sim.requests[0]
    assert served.request.body == _BODY
    assert (served.whole_request, served.status, served.whole_response) == (True, 200, True)
    assert dict(served.headers)["request-id"] == response.headers["request-id"]
    assert (served.raw, served.client_left) == (False, False)


@pytest.mark.parametrize(
    ("name", "status", "raw"),
    [("server_disconnected", None, False), ("protocol_error", None, True), ("body_cut", 200, False)],
)
def test_a_broken_response_is_not_whole(name: str, status: int | None, raw: bool, sim: Simulator) -> None:
    """The record says how far the response came, and whether bytes were sent that are no part of one."""
    sim.play(name)
    connection = _connection(sim)
    connection.request("POST", "/v1/messages", _BODY, _KEY)
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse().read()
    served = _served(sim)
    connection.close()
    assert (served.whole_request, served.status, served.whole_response, served.raw) == (True, status, False, raw)
    assert not served.client_left


def test_a_request_that_is_broken_off_is_not_whole(sim: Simulator) -> None:
    """A request of which the server reads the head alone is told from one that has come to its end."""
    url = sim.endpoint("connection_reset_in_request").base_url
    connection = http.client.HTTPConnection(_address(url), timeout=LONG)
    connection.request("POST", "/v1/messages", _BODY, _KEY)
    with pytest.raises(OSError, match="reset"):
        connection.getresponse()
    served = _served(sim)
    connection.close()
    assert (served.whole_request, served.status) == (False, None)


def test_a_client_that_leaves_a_stream_is_seen_to_leave(sim: Simulator) -> None:
    """The server finds out when it writes on: it has more to send than there is room for on the way to the client."""
    sim.play(Chunks((_EVENTS[0], bytes(1 << 26))))
    connection = _connection(sim)
    connection.request("POST", "/v1/messages", _STREAM, _KEY)
    connection.getresponse().readline()
    connection.close()
    served = _served(sim)
    assert (served.status, served.whole_response, served.client_left) == (200, False, True)


def test_a_client_that_waits_no_longer_is_seen_to_leave(sim: Simulator) -> None:
    """The server of a request that is never answered finds out at once."""
    sim.play(fault("read_timeout"))
    connection = _connection(sim)
    connection.request("POST", "/v1/messages", _BODY, _KEY)
    until(lambda: sim.served, every=0.001)
    assert not sim.served[0].over
    connection.close()
    served = _served(sim)
    assert (served.status, served.client_left) == (None, True)


@pytest.mark.parametrize(
    "action",
    [
        ErrorEvent("overloaded_error", "Overloaded", after=6, delivery=Delivery(pings=2)),
        Cut(Point.BODY, Ending.CLEAN, after=6, reply=Reply(delivery=Delivery(pings=2))),
    ],
)
def test_pings_come_before_a_delta_of_a_stream_that_fails(action: ErrorEvent | Cut, sim: Simulator) -> None:
    """A stream that is to end early has the pings of its delivery, which count as events before its end."""
    sim.play(action)
    connection = _connection(sim)
    connection.request("POST", "/v1/messages", _STREAM, _KEY)
    names = [line for line in connection.getresponse().read().decode().split("\n") if line.startswith("event: ")]
    connection.close()
    started = ["message_start", "content_block_start", "ping", "ping", "ping", "content_block_delta"]
    assert names[:6] == [f"event: {name}" for name in started]


def test_an_interim_response_comes_before_a_response_that_breaks(sim: Simulator) -> None:
    """The interim statuses of a reply are sent also if its body is to break."""
    reply = Reply(529, interim=(103,))
    sim.play(Cut(Point.BODY, Ending.CLOSE, after=1, reply=reply))
    with socket.create_connection(("127.0.0.1", int(sim.base_url.rpartition(":")[2])), timeout=LONG) as sock:
        sock.sendall(b"POST /v1/messages HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
        received = b""
        while data := sock.recv(4096):
            received += data
    interim, _, final = received.partition(b"\r\n\r\n")
    assert interim.startswith(b"HTTP/1.1 103 ")
    assert final.startswith(b"HTTP/1.1 529 ")


def test_a_plain_reply_that_is_to_break_is_what_the_api_answers(sim: Simulator) -> None:
    """Half of an ordinary reply is sent, whether the reply that breaks is left out or is `Reply()`."""
    bodies = []
    for reply in (None, Reply()):
        sim.play(Cut(Point.BODY, Ending.CLOSE, after=1, reply=reply))
        connection = _connection(sim)
        connection.request("POST", "/v1/messages", _BODY, _KEY)
        with pytest.raises(http.client.IncompleteRead) as raised:
            connection.getresponse().read()
        connection.close()
        bodies.append(raised.value.partial)
    assert all(body.startswith(b'{"model":"claude-') for body in bodies)


@pytest.mark.parametrize("encoding", [Encoding.GZIP, Encoding.BROKEN_GZIP])
@pytest.mark.parametrize("status", [204, 304])
def test_a_response_without_a_body_has_none_in_any_encoding(status: int, encoding: Encoding, sim: Simulator) -> None:
    """HTTP has no body for these statuses; the bytes that compress an empty one are left out."""
    sim.play(Reply(status, delivery=Delivery(encoding)))
    connection = _connection(sim)
    connection.request("POST", "/v1/messages", _BODY, _KEY | {"accept-encoding": "gzip"})
    response = connection.getresponse()
    assert (response.status, response.read()) == (status, b"")
    served = _served(sim)
    connection.close()
    assert served.whole_response


_EVENTS = (
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":3}}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)


@pytest.mark.parametrize(("encoding", "used"), [(Encoding.GZIP, {"input_tokens": 3}), (Encoding.BROKEN_GZIP, None)])
def test_a_stream_that_cannot_be_decoded_has_told_no_usage(
    encoding: Encoding, used: dict[str, int] | None, sim: Simulator
) -> None:
    """The record has only the usage that a client can read."""
    sim.play(Chunks(_EVENTS, delivery=Delivery(encoding)))
    connection = _connection(sim)
    connection.request("POST", "/v1/messages", _STREAM, _KEY | {"accept-encoding": "gzip"})
    assert connection.getresponse().read()
    served = _served(sim)
    connection.close()
    assert served.usage == used


@pytest.mark.parametrize("odd", [b"7", b'"x"', b"[1]", b"true", b"null"])
@pytest.mark.parametrize("event", [b'"message_start","message":{"usage":%s}', b'"message_delta","usage":%s'])
def test_a_usage_that_is_no_object_is_none(event: bytes, odd: bytes, sim: Simulator) -> None:
    """Such a stream of one's own is sent to its end, and the record keeps the usage of its other events."""
    strange = b'event: x\ndata: {"type":%s}\n\n' % (event % odd)
    sim.play(Chunks((_EVENTS[0], strange, _EVENTS[1])))
    connection = _connection(sim)
    connection.request("POST", "/v1/messages", _STREAM, _KEY)
    assert connection.getresponse().read() == _EVENTS[0] + strange + _EVENTS[1]
    served = _served(sim)
    connection.close()
    assert (served.whole_response, served.usage) == (True, {"input_tokens": 3})


_MESSAGE = b'{"type":"message","usage":{"input_tokens":3,"output_tokens":2}}'


def test_a_response_to_head_has_told_no_usage(sim: Simulator) -> None:
    """The response to a HEAD request has no body, so no client learns of the usage in it."""
    sim.play(Reply(body=_MESSAGE), Reply(body=_MESSAGE))
    used = []
    for method in ("POST", "HEAD"):
        connection = _connection(sim)
        connection.request(method, "/v1/messages", _BODY, _KEY)
        connection.getresponse().read()
        connection.close()
        until(lambda: sim.served[-1].over, every=0.001)
        used.append(sim.served[-1].usage)
    assert used == [{"input_tokens": 3, "output_tokens": 2}, None]


@pytest.mark.parametrize(
    "path", ["/model/m/invoke", "/projects/p/locations/eu/publishers/anthropic/models/m:rawPredict"]
)
@pytest.mark.parametrize("method", ["HEAD", "GET", "PUT"])
def test_a_message_on_a_platform_needs_a_post(method: str, path: str, sim: Simulator) -> None:
    """Any other method is refused, and nothing is generated."""
    connection = _connection(sim)
    connection.request(method, path, _BODY, _KEY)
    response = connection.getresponse()
    response.read()
    served = _served(sim)
    connection.close()
    assert 400 <= response.status < 500
    assert served.usage is None
