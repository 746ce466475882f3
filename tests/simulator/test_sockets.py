"""What a fault does to a socket, seen by a socket: no HTTP client stands between."""

from __future__ import annotations

import asyncio
import errno
import itertools
import re
import socket
import ssl
import struct
import sys
from collections.abc import Callable

import pytest

from anthropic_otel.simulator import FAULTS, Cut, Ending, Fault, Point, Simulator
from anthropic_otel.simulator.link import Link
from anthropic_otel.simulator.listeners import LOOPBACK, Listener
from support.stacks import LONG

_CUTS = [each for each in FAULTS.values() if isinstance(each.action, Cut) and each.action.point is not Point.REQUEST]
_HEAD = b"POST /v1/messages HTTP/1.1\r\nhost: sim\r\nx-api-key: none\r\nanthropic-version: 2023-06-01\r\n"
_REQUEST = _HEAD + b"content-length: %d\r\n\r\n%s"


_SILENCE = 0.3
"""The seconds after which nothing more is expected to come, where nothing is to."""


def _connect(url: str, timeout: float = LONG) -> socket.socket:
    host, port = url.split("//")[1].split(":")
    return socket.create_connection((host, int(port)), timeout=timeout)


def _post(sock: socket.socket, stream: bool | None = False) -> None:
    body = b'{"model":"claude-opus-5","max_tokens":50,"messages":[{"role":"user","content":"hi"}],"stream":%s}' % (
        b"true" if stream else b"false"
    )
    sock.sendall(_REQUEST % (len(body), body))


def _read_to_the_end(sock: socket.socket, before_silence: bytes | None = None) -> tuple[bytes, str]:
    """Return what came, and how it ended: `FIN`, `silence`, or the name of an error of the system.

    Silence begins behind `before_silence`, which comes as late as the machine is busy; `None` if none is expected.
    """
    received = b""
    try:
        while True:
            if before_silence is not None and before_silence in received:
                sock.settimeout(_SILENCE)
            if not (data := sock.recv(65536)):
                break
            received += data
    except TimeoutError:
        return received, "silence"
    except OSError as error:
        return received, errno.errorcode[error.errno or 0]
    return received, "FIN"


@pytest.mark.parametrize("fault", _CUTS, ids=lambda each: each.name)
def test_an_exchange_ends_as_its_cut_says(fault: Fault, sim: Simulator) -> None:
    """A reset is an RST, a close a FIN, a stall silence; and headers have come only if the body had begun."""
    assert isinstance(fault.action, Cut)
    sim.play(fault)
    expected = {Ending.RESET: "ECONNRESET", Ending.STALL: "silence", Ending.CLEAN: "silence"}
    ending = expected.get(fault.action.ending, "FIN")
    last = b"0\r\n\r\n" if fault.action.ending is Ending.CLEAN else b"\r\n\r\n"
    begins = last if fault.action.point is Point.BODY else b""
    with _connect(sim.base_url) as sock:
        _post(sock, fault.stream)
        received, end = _read_to_the_end(sock, begins if ending == "silence" else None)
    assert end == ending
    status = fault.action.reply.status if fault.action.reply is not None else 200
    assert received.startswith(b"HTTP/1.1 %d " % status) == (fault.action.point is Point.BODY)
    assert received.endswith(b"0\r\n\r\n") == (fault.action.ending is Ending.CLEAN)


def test_a_length_that_is_not_kept_is_a_length(sim: Simulator) -> None:
    """The cut body of a Content-Length has fewer bytes than it says."""
    sim.play("body_cut")
    with _connect(sim.base_url) as sock:
        _post(sock)
        head, _, body = _read_to_the_end(sock)[0].partition(b"\r\n\r\n")
    length = int(next(line for line in head.split(b"\r\n") if line.startswith(b"content-length")).split()[1])
    assert 0 < len(body) < length


_DATA_SEGMENTS_IN = struct.Struct("152xI")
"""Where `struct tcp_info` of Linux has the number of segments with data that have come."""


def _segments(sock: socket.socket) -> int:
    """How many segments a response came in, by the kernel's count: a slow reader finds several of them in one read."""
    received = b""
    while (found := re.search(rb"content-length: (\d+)(?s:.*?)\r\n\r\n", received)) is None or (
        len(received) < found.end() + int(found[1])
    ):
        received += sock.recv(65536)
    told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _DATA_SEGMENTS_IN.size)
    return int(_DATA_SEGMENTS_IN.unpack(told)[0])


@pytest.mark.skipif(sys.platform != "linux", reason="counts segments by Linux' TCP_INFO")
def test_segments_arrive_apart(sim: Simulator) -> None:
    """A segmented response takes many segments, an ordinary one few."""
    segments = []
    for name in ("ok", "ok_segmented"):
        sim.play(name)
        with _connect(sim.base_url) as sock:
            _post(sock)
            segments.append(_segments(sock))
    assert segments[0] <= 3
    assert segments[1] > 20


def test_a_full_backlog_answers_nobody(sim: Simulator) -> None:
    """A connect to it times out, each time."""
    url = sim.endpoint("connect_timeout").base_url
    for _ in range(2):
        with pytest.raises(TimeoutError):
            _connect(url, _SILENCE)


@pytest.mark.parametrize(
    ("name", "error"),
    [("connection_refused", errno.ECONNREFUSED), ("network_unreachable", errno.ENETUNREACH)],
)
def test_an_address_without_a_server_says_so(name: str, error: int, sim: Simulator) -> None:
    """The kernel itself answers: the client does not run into its timeout."""
    with pytest.raises(OSError, match=r"refused|unreachable") as raised:
        _connect(sim.endpoint(name).base_url)
    assert raised.value.errno == error


def _handshake(url: str, ca_file: str | None, timeout: float) -> OSError | None:
    context = ssl.create_default_context(cafile=ca_file)
    try:
        with _connect(url, timeout) as sock, context.wrap_socket(sock, server_hostname="127.0.0.1"):
            return None
    except OSError as error:
        return error


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("tls_untrusted", lambda error: error.verify_code in (18, 19, 20)),
        ("tls_wrong_host", lambda error: error.verify_code == 64),  # X509_V_ERR_IP_ADDRESS_MISMATCH
        ("tls_expired", lambda error: error.verify_code == 10),
        ("tls_plain_port", lambda error: error.reason == "WRONG_VERSION_NUMBER"),
        ("tls_closed", lambda error: isinstance(error, ssl.SSLEOFError)),
        ("tls_reset", lambda error: error.errno == errno.ECONNRESET),
        ("tls_timeout", lambda error: isinstance(error, TimeoutError)),
    ],
)
def test_a_handshake_fails_for_its_reason(name: str, told: Callable[[OSError], bool], sim: Simulator) -> None:
    """OpenSSL tells each of them apart."""
    endpoint = sim.endpoint(name)
    timeout = LONG if endpoint.needs.connect_timeout is None else _SILENCE
    error = _handshake(endpoint.base_url, endpoint.ca_file, timeout)
    assert error is not None
    assert told(error)


def test_a_server_that_does_not_read_blocks_its_client(sim: Simulator) -> None:
    """A large request does not fit into the buffers of the kernel."""
    fault = FAULTS["write_timeout"]
    sim.play(fault)
    with _connect(sim.base_url, _SILENCE) as sock, pytest.raises(TimeoutError):
        sock.sendall(_REQUEST % (fault.needs.request_bytes, b"x" * fault.needs.request_bytes))


def test_a_reset_strikes_the_request_itself(sim: Simulator) -> None:
    """The client learns of it while it sends."""
    fault = FAULTS["connection_reset_in_request"]
    sim.play(fault)
    with _connect(sim.base_url) as sock, pytest.raises(OSError, match=r"reset|Broken") as raised:
        sock.sendall(_REQUEST % (fault.needs.request_bytes, b"x" * fault.needs.request_bytes))
    assert errno.errorcode[raised.value.errno or 0] in fault.errno


@pytest.mark.parametrize("rounds", range(6))
def test_a_connection_accepted_while_its_listener_closes_is_closed(rounds: int) -> None:
    """However far asyncio has come with it: nothing hangs, and nothing is left for the collector to complain of."""

    async def wait(_: Link, __: int) -> None:
        await asyncio.sleep(LONG)

    async def connect_and_close() -> None:
        listener = Listener(wait, itertools.count(1).__next__)
        await listener.open()
        with socket.create_connection((LOOPBACK, listener.port)) as client:
            for _ in range(rounds):
                await asyncio.sleep(0)
            await listener.close()
            client.setblocking(False)
            try:
                received = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1), LONG)
            except ConnectionResetError:
                received = b""
            assert received == b""

    asyncio.run(connect_and_close())
