"""Listeners: sockets on loopback, and HTTP on the connections that they accept.

Rule: a connection belongs to its listener and is closed with the listener.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeAlias

import h11

from anthropic_otel.simulator.actions import ExchangeAction
from anthropic_otel.simulator.exchange import Exchange, next_event, server_side
from anthropic_otel.simulator.link import Disconnected, Link, RejectedRequest
from anthropic_otel.simulator.perform import perform
from anthropic_otel.simulator.received import Received
from anthropic_otel.simulator.responses import Service
from anthropic_otel.simulator.wire import error_body, to_json

LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 1024

Serve: TypeAlias = Callable[[Link, int], Awaitable[None]]
"""Serves one accepted connection; the second argument is its number, counted from 1."""


def bound(port: int = 0) -> socket.socket:
    """Returns a TCP socket that is bound to a port on loopback (0: a free one) and does not listen.

    Clients that connect to it are refused. Raises `OSError` if the port is taken.
    """
    # The protocol is named, because asyncio turns Nagle's delay (40 ms a response) off only for such sockets.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((LOOPBACK, port))
    except BaseException:
        sock.close()
        raise
    return sock


def port_of(sock: socket.socket) -> int:
    """Returns the port that the socket is bound to."""
    port: int = sock.getsockname()[1]
    return port


class Listener:
    """A listening socket and the connections that it has accepted; `len()` of it is how many are open.

    `serve` is called with each connection and its number, which `numbers` returns. `tls` `None` accepts them without
    TLS. The port is bound at once (0: a free one), but does not listen before `open`. `port` is its number, which
    `refuse` and `open` do not change. Raises `OSError` if the port is taken.
    """

    def __init__(
        self, serve: Serve, numbers: Callable[[], int], tls: ssl.SSLContext | None = None, *, port: int = 0
    ) -> None:
        self._serve = serve
        self._numbers = numbers
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._reserved: socket.socket | None = bound(port)
        self.port: Final = port_of(self._reserved)
        self._tasks: dict[asyncio.Task[None], Link] = {}

    def __len__(self) -> int:
        """Returns how many of the accepted connections the server has not closed yet.

        One that its client has closed counts until the server has noticed, and one with TLS only after its handshake.
        """
        return len(self._tasks)

    async def open(self) -> None:
        """Starts to listen. Call it once, and again only after `refuse`."""
        sock, self._reserved = self._reserved, None
        self._server = await asyncio.start_server(self._accepted, sock=sock, ssl=self._tls, backlog=_BACKLOG)

    async def refuse(self) -> None:
        """Stops listening and drops every connection; binds the port again, so that `open` can listen on it.

        Raises `OSError` if another program has taken the port in between.
        """
        await self.close()
        self._reserved = bound(self.port)

    async def close(self) -> None:
        """Stops listening, drops every connection and releases the port."""
        if self._reserved is not None:
            self._reserved.close()
        if self._server is not None:
            await _take_in(self._server)
            self._server.close()
        tasks = list(self._tasks.items())
        for task, link in tasks:
            link.abort()
            task.cancel()
        await asyncio.gather(*(task for task, _ in tasks), return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        self._server = self._reserved = None

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(reader, writer)
        task = asyncio.get_running_loop().create_task(self._served(link))
        self._tasks[task] = link
        task.add_done_callback(self._tasks.pop)

    async def _served(self, link: Link) -> None:
        try:
            await self._serve(link, self._numbers())
        except Disconnected:
            pass
        finally:
            await link.close()


async def _take_in(server: asyncio.Server) -> None:
    """Stops accepting, and lets the connections that `server` has accepted reach its callback.

    Those that have not reached it `server.close()` would drop: they would stay open, and their end would raise. A
    connection in a TLS handshake does not get that far here.
    """
    loop = asyncio.get_running_loop()
    for sock in server.sockets:
        loop.remove_reader(sock.fileno())
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)


_ROUNDS: Final = 4
"""How often a loop goes round until an accepted connection has a task, a transport and the callback, and once more."""


class HttpConnection:
    """Serves HTTP/1.1 on a connection, one request after another.

    That ends when an action or the client ends the connection, or a request is rejected.

    `choose` returns the action for a request. `service` answers, records and delays it. `patience` is how many seconds
    a request may take to arrive after its first bytes.
    """

    def __init__(self, choose: Callable[[Received], ExchangeAction], service: Service, patience: float) -> None:
        self._choose = choose
        self._service = service
        self._patience = patience

    async def __call__(self, link: Link, number: int) -> None:
        """Serves the connection; returns or raises `Disconnected` when nothing more can be done on it.

        A request that is late, too large, not HTTP or a CONNECT gets an error response, and no further request is read.
        """
        http = server_side()
        link.patience = self._patience
        try:
            while isinstance(head := await next_event(http, link), h11.Request):
                if head.method == b"CONNECT":
                    raise RejectedRequest(405, "invalid_request_error", "Method Not Allowed")
                exchange = Exchange(link, http, head, number)
                try:
                    await perform(exchange, self._choose(exchange.request), self._service)
                finally:
                    exchange.over()
                if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                    return
                http.start_next_cycle()
        except RejectedRequest as reason:
            await _reject(link, reason)
        except h11.RemoteProtocolError as error:
            await _reject(link, _not_http(error.error_status_hint))


def _not_http(status: int) -> RejectedRequest:
    if status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
        return RejectedRequest(status, "invalid_request_error", "The head of the request is too large")
    return RejectedRequest(HTTPStatus.BAD_REQUEST, "invalid_request_error", "The request is not valid HTTP")


async def _reject(link: Link, reason: RejectedRequest) -> None:
    """Sends the error response to a request that was not read to its end, and a FIN.

    Then discards what still comes, for 5 seconds at most. Raises `Disconnected` if the client has left before the
    response.
    """
    body = to_json(error_body(reason.error_type, reason.message))
    head = (
        f"HTTP/1.1 {reason.status} {HTTPStatus(reason.status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    await link.write(head.encode() + body)
    await link.linger()
