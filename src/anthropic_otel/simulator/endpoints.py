"""Opens the listeners and addresses of faults that are met at an address of their own.

Rule: an endpoint makes its fault for every client and every request, and lives until its simulator stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Final, Protocol

from anthropic_otel.simulator.actions import Ending, ExchangeAction, Reply, assert_never
from anthropic_otel.simulator.addresses import Address, Detour, Handshake, Place, Proxy, ProxyAnswer, Tls
from anthropic_otel.simulator.certificates import Authority
from anthropic_otel.simulator.faults import NO_NEEDS, Fault, Needs
from anthropic_otel.simulator.link import Disconnected, Link
from anthropic_otel.simulator.listeners import LOOPBACK, Listener, Serve, bound, port_of
from anthropic_otel.simulator.perform import GARBAGE, end

UNKNOWN_NAME: Final = "api.anthropic.invalid"
"""A host name that does not exist, by RFC 2606."""

_UNREACHABLE: Final = "127.255.255.255"
"""Loopback's broadcast address: the kernel itself answers a TCP connect to it with ENETUNREACH; nothing is sent."""

_FILLERS: Final = 4
_FILLING_MS: Final = 50 if sys.platform != "linux" else 1_000
"""How many milliseconds the handshakes of the fillers may take. Only Linux tells when the first is complete."""
_WAITING: Final = struct.Struct("24xI")
"""Where the `struct tcp_info` of a listening socket has the number of connections that wait to be accepted."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a fault can be met, and how a client must be set up to meet it.

    - `base_url`: the base URL for the client.
    - `proxy`: the URL of the proxy that the client must use; `None` if none.
    - `ca_file`: the path of a PEM file with the CA that the client must trust; `None` if none.
    - `needs`: timeouts and everything else that the client must be set to.
    """

    base_url: str
    proxy: str | None = None
    ca_file: str | None = None
    needs: Needs = NO_NEEDS


class Host(Protocol):
    """What an endpoint needs of the server: listeners, HTTP and certificates."""

    authority: Authority

    async def listen(self, serve: Serve, tls: Tls | None = None) -> Listener:
        """Returns a new listener on a free port, which listens already; with TLS if `tls` is given.

        It lives as long as the server. `serve` is called with each connection and its number.
        """

    def http(self, action: ExchangeAction) -> Serve:
        """Returns a function that serves HTTP on a connection and does `action` with each request.

        A request that a `Redirect` led here gets the rest of that redirect instead.
        """

    def keep(self, sock: socket.socket) -> None:
        """Takes ownership of `sock`, which is closed when the server closes."""


async def endpoint_for(fault: Fault, host: Host) -> Endpoint:
    """Opens the listeners and sockets that the fault needs, and returns where to meet it.

    An `AddressAction` gets what its class describes, and an `ExchangeAction` a plain HTTP listener of its own.
    `ca_file` is set only if the fault needs the CA.
    """
    action = fault.action
    match action:
        case Address():
            return Endpoint(await _address(action.place, host), needs=fault.needs)
        case Tls():
            listener = await host.listen(host.http(action.then), action)
            ca_file = host.authority.ca_file if fault.needs.ca else None
            return Endpoint(_url("https", listener.port), ca_file=ca_file, needs=fault.needs)
        case Handshake():
            listener = await host.listen(_HandshakeServer(action))
            return Endpoint(_url("https", listener.port), needs=fault.needs)
        case Proxy():
            target = f"{action.target}://{UNKNOWN_NAME}"  # a client that bypasses its proxy fails in another way
            return Endpoint(target, proxy=await _proxy(action, host), needs=fault.needs)
        case Detour():
            listener = await host.listen(host.http(await _detour(action, host)))
            return Endpoint(_url("http", listener.port), needs=fault.needs)
        case _:
            listener = await host.listen(host.http(action))
            return Endpoint(_url("http", listener.port), needs=fault.needs)


def _url(scheme: str, port: int, host: str = LOOPBACK) -> str:
    return f"{scheme}://{host}:{port}"


async def _detour(action: Detour, host: Host) -> Reply:
    """Opens what the redirect leads to, and returns the redirect with the new address in `location`."""
    if isinstance(action.to, Place):
        url = await _address(action.to, host)
    else:
        url = _url("http", (await host.listen(host.http(action.to))).port)
    return Reply(action.status, body=b"", headers=(("location", f"{url}/v1/messages"),))


async def _address(place: Place, host: Host) -> str:
    match place:
        case Place.UNKNOWN_NAME:
            url = f"http://{UNKNOWN_NAME}"
        case Place.REFUSED:
            url = _url("http", _refused_port(host))
        case Place.UNREACHABLE:
            url = _url("http", 80, _UNREACHABLE)
        case Place.FULL_BACKLOG:
            url = _url("http", await _full_port(host))
        case _:
            assert_never(place)
    return url


def _refused_port(host: Host) -> int:
    """Returns a port that refuses connections: it is bound, so that no other program gets it, and does not listen."""
    sock = bound()
    host.keep(sock)
    return port_of(sock)


async def _full_port(host: Host) -> int:
    """Returns the port of a listener that never accepts, once its backlog is full."""
    listener = bound()
    host.keep(listener)
    listener.listen(0)
    for _ in range(_FILLERS):
        filler = socket.socket()
        host.keep(filler)
        filler.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            filler.connect(listener.getsockname())
    for _ in range(_FILLING_MS):
        if _is_full(listener):
            break
        await asyncio.sleep(0.001)
    return port_of(listener)


def _is_full(listener: socket.socket) -> bool:
    """Returns whether a handshake with `listener`, whose backlog is 0, is complete; `False` where nobody tells."""
    if sys.platform != "linux":
        return False
    return _WAITING.unpack(listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _WAITING.size)) > (0,)


class _HandshakeServer:
    """Serves a connection by breaking its TLS handshake as the `Handshake` says.

    It first reads the ClientHello, because closing with unread data would send an RST in place of a FIN.
    """

    def __init__(self, action: Handshake) -> None:
        self._ending, self._alert = action.ending, action.alert

    async def __call__(self, link: Link, number: int) -> None:
        await link.read()
        if self._alert is not None:
            await link.write(b"\x15\x03\x03\x00\x02\x02" + bytes((self._alert,)))  # a record: a fatal alert
        if self._ending is Ending.GARBAGE:
            await link.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            raise Disconnected
        await end(link, self._ending)


async def _proxy(action: Proxy, host: Host) -> str:
    if action.answer is ProxyAnswer.REFUSED:
        return _url(action.scheme, _refused_port(host))
    if action.answer is ProxyAnswer.UNKNOWN_NAME:
        return _url(action.scheme, 3128, "proxy.invalid")
    listener = await host.listen(_ProxyServer(action.answer))
    return _url(action.scheme, listener.port)


class _ProxyServer:
    """Serves each connection as a proxy: reads the request, gives `answer`, then closes the connection."""

    def __init__(self, answer: ProxyAnswer) -> None:
        self._answer = answer

    async def __call__(self, link: Link, number: int) -> None:
        await link.read()
        match self._answer:
            case ProxyAnswer.UNAUTHORIZED:
                await link.write(
                    _refusal("407 Proxy Authentication Required", 'proxy-authenticate: Basic realm="proxy"\r\n')
                )
            case ProxyAnswer.FORBIDDEN:
                await link.write(_refusal("403 Forbidden"))
            case ProxyAnswer.BAD_GATEWAY:
                await link.write(_refusal("502 Bad Gateway"))
            case ProxyAnswer.SILENCE:
                await link.hold()
            case ProxyAnswer.GARBAGE:
                await link.write(GARBAGE)
            case ProxyAnswer.NOT_ALLOWED:
                await link.write(b"\x05\x00")  # no authentication needed
                await link.read()
                await link.write(b"\x05\x02\x00\x01" + bytes(6))
            case ProxyAnswer.REFUSED | ProxyAnswer.UNKNOWN_NAME | ProxyAnswer.NOTHING:
                pass
            case _:
                assert_never(self._answer)


def _refusal(status: str, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}content-length: 0\r\nconnection: close\r\n\r\n".encode()
