"""Where the time of an attempt went, as the transport's events tell it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_otel._core.semconv import Phase
from anthropic_otel._core.timeline import _HANDLERS, Timeline, peer_of

HEADERS = [(b"request-id", b"req_1")]


class NetworkStream:
    """A network stream of httpcore, as far as it is asked."""

    def __init__(self, address: object) -> None:
        self._address = address

    def get_extra_info(self, info: str) -> object:
        assert info == "server_addr"
        return self._address


def request(method: bytes) -> SimpleNamespace:
    return SimpleNamespace(method=method, headers=[(b"x-api-key", b"sk-ant-secret")])


POST = {"request": request(b"POST")}
CONNECT = {"request": request(b"CONNECT")}
ANSWER = {"return_value": (b"HTTP/1.1", 200, b"OK", HEADERS)}
TCP = {"host": "api.test", "port": 443}
STREAM = {"return_value": NetworkStream(("192.0.2.1", 443))}


@pytest.fixture
def timeline(clock: Any) -> Timeline:
    return Timeline(clock, clock.time, "api.test")


def play(timeline: Timeline, clock: Any, *events: tuple[int, str, dict[str, Any]]) -> None:
    """Each event after a time, and then the end, a nanosecond after the last."""
    for wait, name, info in events:
        clock.pass_(wait)
        timeline.trace(name, info)
    clock.pass_(1)
    timeline.finish(clock.time)


def test_a_new_tls_connection_has_every_phase(timeline: Timeline, clock: Any) -> None:
    """From the send to the first event it was the pool; each event ends the phase before it."""
    play(
        timeline,
        clock,
        (1, "connection.connect_tcp.started", TCP),
        (20, "connection.connect_tcp.complete", STREAM),
        (0, "connection.start_tls.started", {}),
        (300, "connection.start_tls.complete", {}),
        (0, "http11.send_request_headers.started", POST),
        (1, "http11.send_request_headers.complete", {}),
        (0, "http11.send_request_body.started", POST),
        (4_000, "http11.send_request_body.complete", {}),
        (0, "http11.receive_response_headers.started", POST),
        (50_000, "http11.receive_response_headers.complete", ANSWER),
        (0, "http11.receive_response_body.started", POST),
        (600_000, "http11.receive_response_body.complete", {}),
    )
    assert timeline.known() == {
        Phase.POOL: 1,
        Phase.CONNECT: 20,
        Phase.TLS: 300,
        Phase.SEND: 4_001,
        Phase.WAIT: 50_000,
        Phase.RECEIVE: 600_001,
    }
    assert timeline.reused is False
    assert timeline.proxied is False
    assert timeline.peer == ("192.0.2.1", 443)
    assert timeline.raw_response == ("1.1", 200, HEADERS)


def test_no_connect_event_means_a_reused_connection(timeline: Timeline, clock: Any) -> None:
    """Then the first event is that of the request."""
    play(
        timeline,
        clock,
        (5, "http11.send_request_headers.started", POST),
        (6, "http11.send_request_body.complete", {}),
        (7, "http11.receive_response_headers.complete", ANSWER),
    )
    assert timeline.known() == {Phase.POOL: 5, Phase.SEND: 6, Phase.WAIT: 7, Phase.RECEIVE: 1}
    assert timeline.reused is True
    assert timeline.peer is None


def test_http_2_has_the_same_phases(timeline: Timeline, clock: Any) -> None:
    """Under its own event names, with a response of two parts."""
    play(
        timeline,
        clock,
        (1, "connection.connect_tcp.started", TCP),
        (2, "connection.start_tls.started", {}),
        (3, "http2.send_connection_init.started", POST),
        (0, "http2.send_connection_init.complete", {}),
        (0, "http2.send_request_headers.started", POST),
        (4, "http2.send_request_body.complete", {}),
        (5, "http2.receive_response_headers.complete", {"return_value": (529, HEADERS)}),
    )
    assert timeline.known() == {
        Phase.POOL: 1,
        Phase.CONNECT: 2,
        Phase.TLS: 3,
        Phase.SEND: 4,
        Phase.WAIT: 5,
        Phase.RECEIVE: 1,
    }
    assert timeline.raw_response == ("2", 529, HEADERS)


def test_the_connect_of_a_proxy_is_part_of_connecting(timeline: Timeline, clock: Any) -> None:
    """It looks like a request and a response, and is neither the attempt's."""
    play(
        timeline,
        clock,
        (1, "connection.connect_tcp.started", {"host": "proxy.test"}),
        (2, "connection.connect_tcp.complete", STREAM),
        (3, "http11.send_request_headers.started", CONNECT),
        (4, "http11.send_request_body.complete", {}),
        (5, "http11.receive_response_headers.complete", ANSWER),
        (6, "proxy.start_tls.started", {}),
        (7, "http11.send_request_headers.started", POST),
        (8, "http11.send_request_body.complete", {}),
        (9, "http11.receive_response_headers.complete", ANSWER),
    )
    assert timeline.known() == {
        Phase.POOL: 1,
        Phase.CONNECT: 20,
        Phase.TLS: 7,
        Phase.SEND: 8,
        Phase.WAIT: 9,
        Phase.RECEIVE: 1,
    }
    assert timeline.proxied is True


def test_a_proxy_that_turns_the_tunnel_away_is_no_response(timeline: Timeline, clock: Any) -> None:
    """Its 407 is not the API's status."""
    play(
        timeline,
        clock,
        (1, "connection.connect_tcp.started", {"host": "proxy.test"}),
        (2, "http11.send_request_headers.started", CONNECT),
        (2, "http11.receive_response_headers.complete", {"return_value": (b"HTTP/1.1", 407, b"", [])}),
    )
    assert timeline.raw_response is None
    assert timeline.phase is Phase.CONNECT


def test_a_socks_proxy_has_the_same_phases(timeline: Timeline, clock: Any) -> None:
    """Under the names of httpcore's SOCKS connection."""
    play(
        timeline,
        clock,
        (1, "socks.connect_tcp.started", {"host": "proxy.test"}),
        (2, "socks.connect_tcp.complete", STREAM),
        (0, "socks.start_tls.started", {}),
        (3, "http11.send_request_headers.started", POST),
    )
    assert timeline.known() == {Phase.POOL: 1, Phase.CONNECT: 2, Phase.TLS: 3, Phase.SEND: 1}
    assert timeline.proxied is True


def test_a_unix_socket_is_no_proxy(timeline: Timeline, clock: Any) -> None:
    """It has a path and no host."""
    play(timeline, clock, (1, "connection.connect_unix_socket.started", {"path": "/run/api.sock"}))
    assert timeline.known() == {Phase.POOL: 1, Phase.CONNECT: 1}
    assert timeline.proxied is False
    assert timeline.reused is False


def test_a_failed_attempt_is_in_its_last_phase(timeline: Timeline, clock: Any) -> None:
    """No event ends it."""
    play(timeline, clock, (1, "connection.connect_tcp.started", TCP), (30, "connection.connect_tcp.failed", {}))
    assert timeline.phase is Phase.CONNECT
    assert timeline.known() == {Phase.POOL: 1, Phase.CONNECT: 31}


def test_an_untraced_attempt_knows_only_of_its_body(timeline: Timeline, clock: Any) -> None:
    """What came before the response is not put down to a pool that there may not have been."""
    clock.pass_(100)
    timeline.enter(Phase.RECEIVE)
    clock.pass_(7)
    timeline.finish(clock.time)
    assert timeline.known() == {Phase.RECEIVE: 7}
    assert timeline.reused is None


def test_a_phase_that_comes_twice_is_the_sum(timeline: Timeline, clock: Any) -> None:
    """A redirect sends a second request within the same attempt."""
    one = ((1, "http11.send_request_headers.started", POST), (2, "http11.send_request_body.complete", {}))
    play(timeline, clock, *one, (3, "http11.receive_response_headers.complete", ANSWER), *one)
    assert timeline.known() == {Phase.POOL: 1, Phase.SEND: 4, Phase.WAIT: 4, Phase.RECEIVE: 1}


def test_nothing_changes_after_the_end(timeline: Timeline, clock: Any) -> None:
    """A connection may live on and tell of more."""
    play(timeline, clock, (1, "http11.send_request_headers.started", POST))
    before = timeline.known().copy()
    clock.pass_(5)
    timeline.trace("connection.connect_tcp.started", TCP)
    timeline.trace("http11.receive_response_headers.complete", ANSWER)
    timeline.enter(Phase.RECEIVE)
    assert timeline.known() == before
    assert timeline.phase is Phase.SEND
    assert timeline.reused is True
    assert timeline.raw_response is None


def test_the_api_key_is_not_kept(timeline: Timeline, clock: Any) -> None:
    """The events hand over the request with its headers."""
    play(
        timeline, clock, (1, "http11.send_request_headers.started", POST), (1, "http11.send_request_body.started", POST)
    )
    kept = [getattr(timeline, name) for name in Timeline.__slots__]
    assert "sk-ant-secret" not in repr(kept)
    assert not any(isinstance(value, SimpleNamespace) for value in kept)


def test_the_coroutine_for_async_transports_does_the_same(timeline: Timeline, clock: Any) -> None:
    """It waits for nothing."""
    clock.pass_(5)
    asyncio.run(timeline.atrace("http11.send_request_headers.started", POST))
    assert timeline.phase is Phase.SEND
    assert timeline.known() == {Phase.POOL: 5}


@pytest.mark.parametrize(
    "value", [None, (), (1,), (b"HTTP/1.1",), ("HTTP/1.1", "200", b"", []), (b"HTTP/1.1", "x", b"", []), ("x", None), 7]
)
def test_a_response_of_another_shape_is_not_known(timeline: Timeline, value: object) -> None:
    """Another version of the transport may return another thing."""
    timeline.trace("http11.receive_response_headers.complete", {"return_value": value})
    assert timeline.raw_response is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (("192.0.2.1", 443), ("192.0.2.1", 443)),
        (("2001:db8::1", 443, 0, 0), ("2001:db8::1", 443)),
        ("/run/api.sock", None),
        ("", None),
        (None, None),
        ((), None),
        (("host", "port"), None),
    ],
)
def test_the_peer_is_an_address_and_a_port(address: object, expected: object) -> None:
    """Anything else has none."""
    assert peer_of(NetworkStream(address)) == expected


def test_a_stream_that_cannot_be_asked_has_no_peer() -> None:
    """Other transports have other streams, or none."""
    assert peer_of(None) is None


_INFO = st.sampled_from([{}, POST, CONNECT, ANSWER, TCP, STREAM, {"host": 7}, {"return_value": ((), ())}])
_EVENTS = st.sampled_from([*_HANDLERS, "connection.close.started", "http11.response_closed.complete", ""])


@given(st.lists(st.tuples(st.integers(0, 1_000), _EVENTS, _INFO), max_size=30))
def test_the_phases_are_a_partition(parts: Any, events: list[tuple[int, str, dict[str, Any]]]) -> None:
    """Whatever events come in whatever order, each moment belongs to exactly one phase."""
    clock = parts.Clock()
    timeline = Timeline(clock, clock.time, "api.test")
    play(timeline, clock, *events)
    assert sum(time or 0 for time in timeline.spent) == sum(wait for wait, _, _ in events) + 1
    assert all(time is None or time >= 0 for time in timeline.spent)
