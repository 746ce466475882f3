"""Where the time of an attempt went, as the transport's events tell it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_otel._core.raw_response import peer_of, version_of
from anthropic_otel._core.semconv import Phase
from anthropic_otel._core.timeline import _HANDLERS, Timeline, starts_request
from core.notes import ManualClock

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
def timeline(clock: ManualClock) -> Timeline:
    return Timeline(clock, clock.time)


def play(timeline: Timeline, clock: ManualClock, *events: tuple[int, str, dict[str, Any]]) -> None:
    """Each event after a time, and then the end, a nanosecond after the last."""
    for wait, name, info in events:
        clock.pass_(wait)
        timeline.trace(name, info)
    clock.pass_(1)
    timeline.finish(clock.time)


def test_a_new_tls_connection_has_every_phase(timeline: Timeline, clock: ManualClock) -> None:
    """A new TLS connection has every phase: the pool until its first event, then each event ends the one before."""
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
    assert timeline.phase_durations() == {
        Phase.POOL: 1,
        Phase.CONNECT: 20,
        Phase.TLS: 300,
        Phase.SEND: 4_001,
        Phase.WAIT: 50_000,
        Phase.RECEIVE: 600_001,
    }
    assert timeline.reused is False
    assert timeline.peer == ("192.0.2.1", 443)
    assert timeline.received == ("1.1", 200, HEADERS)


def test_no_connect_event_means_a_reused_connection(timeline: Timeline, clock: ManualClock) -> None:
    """A connection is a reused one if its first event is that of the request."""
    play(
        timeline,
        clock,
        (5, "http11.send_request_headers.started", POST),
        (6, "http11.send_request_body.complete", {}),
        (7, "http11.receive_response_headers.complete", ANSWER),
    )
    assert timeline.phase_durations() == {Phase.POOL: 5, Phase.SEND: 6, Phase.WAIT: 7, Phase.RECEIVE: 1}
    assert timeline.reused is True
    assert timeline.peer is None


def test_http_2_has_the_same_phases(timeline: Timeline, clock: ManualClock) -> None:
    """HTTP/2 has the same phases under its own event names, with a response of two parts."""
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
    assert timeline.phase_durations() == {
        Phase.POOL: 1,
        Phase.CONNECT: 2,
        Phase.TLS: 3,
        Phase.SEND: 4,
        Phase.WAIT: 5,
        Phase.RECEIVE: 1,
    }
    assert timeline.received == ("2", 529, HEADERS)


def test_the_connect_of_a_proxy_is_part_of_connecting(timeline: Timeline, clock: ManualClock) -> None:
    """A proxy's CONNECT looks like a request and a response, and is part of connecting."""
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
    assert timeline.phase_durations() == {
        Phase.POOL: 1,
        Phase.CONNECT: 20,
        Phase.TLS: 7,
        Phase.SEND: 8,
        Phase.WAIT: 9,
        Phase.RECEIVE: 1,
    }


def test_a_proxy_that_turns_the_tunnel_away_is_no_response(timeline: Timeline, clock: ManualClock) -> None:
    """The 407 with which a proxy refuses a tunnel is not the API's status."""
    play(
        timeline,
        clock,
        (1, "connection.connect_tcp.started", {"host": "proxy.test"}),
        (2, "http11.send_request_headers.started", CONNECT),
        (2, "http11.receive_response_headers.complete", {"return_value": (b"HTTP/1.1", 407, b"", [])}),
    )
    assert timeline.received is None
    assert timeline.phase is Phase.CONNECT
    assert timeline.tunnel_refused is True


@pytest.mark.parametrize("status", [200, 204])
def test_a_proxy_that_opens_the_tunnel_has_not_refused_it(timeline: Timeline, clock: ManualClock, status: int) -> None:
    """Any 2xx opens a tunnel, and what the API answers through it is no answer of the proxy's."""
    tell(
        timeline,
        clock,
        (1, "connection.connect_tcp.started", {"host": "proxy.test"}),
        (2, "http11.send_request_headers.started", CONNECT),
        (2, "http11.receive_response_headers.complete", answer(status)),
        (2, "proxy.start_tls.started", {}),
        (7, "http11.send_request_headers.started", POST),
        (9, "http11.receive_response_headers.complete", answer(407)),
    )
    assert timeline.tunnel_refused is False
    assert timeline.received == ("1.1", 407, HEADERS)


def test_where_credentials_are_fetched_all_before_the_first_event_is_auth(clock: ManualClock) -> None:
    """An auth flow of the SDK that fetches a token within the send spends its time in a phase of its own."""
    timeline = Timeline(clock, clock.time, Phase.AUTH)
    play(
        timeline,
        clock,
        (600, "connection.connect_tcp.started", TCP),
        (2, "http11.send_request_headers.started", POST),
    )
    assert timeline.phase_durations() == {Phase.AUTH: 600, Phase.CONNECT: 2, Phase.SEND: 1}


def test_an_untraced_attempt_does_not_know_how_long_its_credentials_took(clock: ManualClock) -> None:
    """Without trace events nobody can say when the credentials were there."""
    timeline = Timeline(clock, clock.time, Phase.AUTH)
    clock.pass_(600)
    timeline.enter(Phase.RECEIVE)
    clock.pass_(7)
    timeline.finish(clock.time)
    assert timeline.phase_durations() == {Phase.RECEIVE: 7}


def test_a_socks_proxy_has_the_same_phases(timeline: Timeline, clock: ManualClock) -> None:
    """A SOCKS proxy has the same phases, under the names of httpcore's SOCKS connection."""
    play(
        timeline,
        clock,
        (1, "socks.connect_tcp.started", {"host": "proxy.test"}),
        (2, "socks.connect_tcp.complete", STREAM),
        (0, "socks.start_tls.started", {}),
        (3, "http11.send_request_headers.started", POST),
    )
    assert timeline.phase_durations() == {Phase.POOL: 1, Phase.CONNECT: 2, Phase.TLS: 3, Phase.SEND: 1}


@pytest.mark.parametrize(
    ("events", "in_tunnel"),
    [
        (("connection.connect_tcp.started", "connection.start_tls.started"), False),
        (("connection.connect_tcp.started", "proxy.start_tls.started"), True),
        (("connection.connect_tcp.started", "connection.start_tls.started", "proxy.start_tls.started"), True),
        (("socks.connect_tcp.started", "socks.start_tls.started"), True),
        (("socks.connect_tcp.started", "socks.start_tls.started", "socks.connect_tcp.started"), False),
    ],
)
def test_a_handshake_with_a_proxy_is_told_from_one_through_it(
    timeline: Timeline, clock: ManualClock, events: tuple[str, ...], in_tunnel: bool
) -> None:
    """A proxy may speak TLS itself, before it is asked to connect to the host; then there is a second handshake."""
    play(timeline, clock, *((1, event, TCP) for event in events))
    assert (timeline.tunnelling is False) is in_tunnel


def test_a_unix_socket_is_connected_to_as_well(timeline: Timeline, clock: ManualClock) -> None:
    """A Unix socket has a path and no host, and connecting to it is a phase too."""
    play(timeline, clock, (1, "connection.connect_unix_socket.started", {"path": "/run/api.sock"}))
    assert timeline.phase_durations() == {Phase.POOL: 1, Phase.CONNECT: 1}
    assert timeline.reused is False


def test_a_failed_attempt_is_in_its_last_phase(timeline: Timeline, clock: ManualClock) -> None:
    """The phase in which an attempt failed is its last one, as no event ends it."""
    play(timeline, clock, (1, "connection.connect_tcp.started", TCP), (30, "connection.connect_tcp.failed", {}))
    assert timeline.phase is Phase.CONNECT
    assert timeline.phase_durations() == {Phase.POOL: 1, Phase.CONNECT: 31}


def test_an_untraced_attempt_knows_only_of_its_body(timeline: Timeline, clock: ManualClock) -> None:
    """Without trace events, the time before the response is not put down to a pool that there may not have been."""
    clock.pass_(100)
    timeline.enter(Phase.RECEIVE)
    clock.pass_(7)
    timeline.finish(clock.time)
    assert timeline.phase_durations() == {Phase.RECEIVE: 7}
    assert timeline.reused is None


def test_a_phase_that_comes_twice_is_the_sum(timeline: Timeline, clock: ManualClock) -> None:
    """A phase that happens twice has the sum of both times, as with a redirect."""
    one: Any = ((1, "http11.send_request_headers.started", POST), (2, "http11.send_request_body.complete", {}))
    play(timeline, clock, *one, (3, "http11.receive_response_headers.complete", ANSWER), *one)
    assert timeline.phase_durations() == {Phase.POOL: 1, Phase.SEND: 4, Phase.WAIT: 4, Phase.RECEIVE: 1}


def test_nothing_changes_after_the_end(timeline: Timeline, clock: ManualClock) -> None:
    """Events after the end change nothing, though the connection may live on."""
    play(timeline, clock, (1, "http11.send_request_headers.started", POST))
    before = timeline.phase_durations().copy()
    clock.pass_(5)
    timeline.trace("connection.connect_tcp.started", TCP)
    timeline.trace("http11.receive_response_headers.complete", ANSWER)
    timeline.enter(Phase.RECEIVE)
    assert timeline.phase_durations() == before
    assert timeline.phase is Phase.SEND
    assert timeline.reused is True
    assert timeline.received is None


def test_the_api_key_is_not_kept(timeline: Timeline, clock: ManualClock) -> None:
    """The request that the events hand over has the API key, and nothing of it is kept."""
    play(
        timeline, clock, (1, "http11.send_request_headers.started", POST), (1, "http11.send_request_body.started", POST)
    )
    kept = [getattr(timeline, name) for name in Timeline.__slots__]
    assert "sk-ant-secret" not in repr(kept)
    assert not any(isinstance(value, SimpleNamespace) for value in kept)


@pytest.mark.parametrize(
    "value", [None, (), (1,), (b"HTTP/1.1",), ("HTTP/1.1", "200", b"", []), (b"HTTP/1.1", "x", b"", []), ("x", None), 7]
)
def test_a_response_of_another_shape_is_not_known(timeline: Timeline, value: object) -> None:
    """A response of a shape that another version of the transport may return is unknown, and no failure."""
    timeline.trace("http11.receive_response_headers.complete", {"return_value": value})
    assert timeline.received is None
    assert timeline.failed_at is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (("192.0.2.1", 443), ("192.0.2.1", 443)),
        (("2001:db8::1", 443, 0, 0), ("2001:db8::1", 443)),
        ("/run/api.sock", None),
        ("/1x", None),
        (b"\x001", None),
        ("", None),
        (None, None),
        ((), None),
        (("host", "port"), None),
    ],
)
def test_the_peer_is_an_address_and_a_port(address: object, expected: object) -> None:
    """A peer has an address and a port; anything else is none."""
    assert peer_of(NetworkStream(address)) == expected


def test_a_stream_that_cannot_be_asked_has_no_peer() -> None:
    """A transport without a network stream has no peer."""
    assert peer_of(None) is None


# -- whether what the transport sends next is another attempt ----------------------------------------------------------


SENT: tuple[tuple[int, str, dict[str, Any]], ...] = (
    (1, "connection.connect_tcp.started", TCP),
    (1, "connection.connect_tcp.complete", STREAM),
    (1, "http11.send_request_headers.started", POST),
    (1, "http11.send_request_body.complete", {}),
)


def answer(status: int) -> dict[str, Any]:
    return {"return_value": (b"HTTP/1.1", status, b"", HEADERS)}


def failure() -> dict[str, Any]:
    return {"exception": ConnectionResetError("secret")}


def tell(timeline: Timeline, clock: ManualClock, *events: tuple[int, str, dict[str, Any]]) -> None:
    """Each event after a time."""
    for wait, name, info in events:
        clock.pass_(wait)
        timeline.trace(name, info)


@pytest.mark.parametrize(
    ("status", "failed"),
    [(200, False), (302, False), (307, False), (400, True), (401, False), (403, True), (407, False), (529, True)],
)
def test_an_error_status_fails_a_request(timeline: Timeline, clock: ManualClock, status: int, failed: bool) -> None:
    """A status of 400 or more fails a request, but for the two that an auth flow answers with a further hop."""
    tell(timeline, clock, *SENT, (7, "http11.receive_response_headers.complete", answer(status)))
    assert timeline.failed_at == (clock.time if failed else None)
    assert timeline.failure is None


def test_a_failed_request_lasts_until_its_response_is_closed(timeline: Timeline, clock: ManualClock) -> None:
    """The body of an error response is part of the request that failed; that of another response changes nothing."""
    tell(timeline, clock, *SENT, (7, "http11.receive_response_headers.complete", answer(529)))
    tell(timeline, clock, (9, "http11.response_closed.complete", {}))
    assert timeline.failed_at == clock.time
    fine = Timeline(clock, clock.time)
    tell(fine, clock, *SENT, (7, "http11.receive_response_headers.complete", ANSWER))
    tell(fine, clock, (9, "http11.response_closed.complete", {}))
    assert fine.failed_at is None


@pytest.mark.parametrize(
    "event",
    [
        "connection.connect_tcp.failed",
        "connection.connect_unix_socket.failed",
        "connection.start_tls.failed",
        "proxy.start_tls.failed",
        "socks.connect_tcp.failed",
        "http11.send_request_headers.failed",
        "http2.send_request_body.failed",
        "http11.receive_response_headers.failed",
        "http2.receive_response_body.failed",
    ],
)
def test_an_exception_fails_a_request(timeline: Timeline, clock: ManualClock, event: str) -> None:
    """A request that raised has failed at that time with that exception."""
    info = failure()
    tell(timeline, clock, *SENT, (7, event, info))
    assert timeline.failed_at == clock.time
    assert timeline.failure is info["exception"]


@pytest.mark.parametrize("info", [{}, {"exception": None}, {"exception": KeyboardInterrupt()}])
def test_what_the_app_stops_fails_no_request(timeline: Timeline, clock: ManualClock, info: dict[str, Any]) -> None:
    """A cancellation in the transport is no failure after which another attempt could be sent."""
    tell(timeline, clock, *SENT, (7, "http11.receive_response_headers.failed", info))
    assert timeline.failed_at is None


def test_a_write_error_does_not_fail_a_request_by_itself(timeline: Timeline, clock: ManualClock) -> None:
    """The transport reads on after a write error, as a server may answer before it has the whole request."""
    write_error = type("WriteError", (Exception,), {})()
    tell(timeline, clock, *SENT[:3], (7, "http11.send_request_body.failed", {"exception": write_error}))
    assert timeline.failed_at is None
    assert timeline.send_error is not None


def test_a_pool_that_connects_again_is_within_the_same_request(timeline: Timeline, clock: ManualClock) -> None:
    """The retries of a connection pool are connection attempts and no further requests."""
    tell(timeline, clock, SENT[0], (7, "connection.connect_tcp.failed", failure()))
    tell(timeline, clock, (0, "connection.retry.started", {}))
    assert (timeline.failed_at, timeline.failure) == (None, None)


def test_a_further_hop_forgets_the_answer_before(timeline: Timeline, clock: ManualClock) -> None:
    """What the hop before was answered, or why it could not be sent, is not the next hop's."""
    write_error = type("WriteError", (Exception,), {})()
    tell(timeline, clock, *SENT[:3], (7, "http11.send_request_body.failed", {"exception": write_error}))
    tell(timeline, clock, (1, "http11.receive_response_headers.complete", answer(307)))
    assert timeline.received is not None
    tell(timeline, clock, (1, "http11.send_request_headers.started", POST))
    assert [timeline.received, timeline.send_error] == [None, None]


def test_the_exception_of_a_request_is_not_kept_after_the_end(timeline: Timeline, clock: ManualClock) -> None:
    """An exception holds the frames that it came through, and with them what the app sent."""
    play(timeline, clock, *SENT, (7, "http11.receive_response_headers.failed", failure()))
    assert timeline.failure is None


@pytest.mark.parametrize(
    ("event", "starts"),
    [
        ("connection.connect_tcp.started", True),
        ("connection.connect_unix_socket.started", True),
        ("socks.connect_tcp.started", True),
        ("http11.send_request_headers.started", True),
        ("http2.send_request_headers.started", True),
        ("connection.start_tls.started", False),
        ("connection.retry.started", False),
        ("http11.send_request_body.started", False),
        ("http11.receive_response_headers.complete", False),
        ("http11.response_closed.complete", False),
    ],
)
def test_a_request_starts_by_connecting_or_with_its_headers(event: str, starts: bool) -> None:
    """The first event of a request is that of its connection or, on a reused one, that of its headers."""
    assert starts_request(event) is starts


@pytest.mark.parametrize(
    ("version", "expected"),
    [(b"HTTP/1.0", "1.0"), (b"HTTP/1.1", "1.1"), (b"HTTP/2", "2"), (b"HTTP/3", "3"), (b"\xff", "\ufffd")],
)
def test_a_version_is_written_as_the_conventions_have_it(version: bytes, expected: str) -> None:
    """The version of an HTTP response is written without `HTTP/`."""
    assert version_of(version) == expected


_INFO = st.sampled_from([{}, POST, CONNECT, ANSWER, TCP, STREAM, {"host": 7}, {"return_value": ((), ())}])
_EVENTS = st.sampled_from([*_HANDLERS, "connection.close.started", "http11.send_request_headers.complete", ""])


@given(st.lists(st.tuples(st.integers(0, 1_000), _EVENTS, _INFO), max_size=30))
def test_the_phases_are_a_partition(events: list[tuple[int, str, dict[str, Any]]]) -> None:
    """Each moment belongs to exactly one phase, whatever events come in whatever order."""
    clock = ManualClock()
    timeline = Timeline(clock, clock.time)
    play(timeline, clock, *events)
    assert sum(time or 0 for time in timeline.phase_ns) == sum(wait for wait, _, _ in events) + 1
    assert all(time is None or time >= 0 for time in timeline.phase_ns)
