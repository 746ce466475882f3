"""One connection to the server and one request on it: what an action is carried out with.

Rule: it knows sockets and HTTP framing, never faults. HTTP is h11's business, but for bytes that break it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import h11

from anthropic_otel.simulator.actions import Headers
from anthropic_otel.simulator.api import Received
from anthropic_otel.simulator.wire import Json

_READ: Final = 64 * 1024
_MAX_HEAD: Final = 64 * 1024
MAX_BODY: Final = 32 * 1024 * 1024
"""The bytes that the API takes in a request."""
_LINGER: Final = 5.0
_LINGER_0: Final = struct.pack("ii", 1, 0)


class Disconnected(Exception):
    """The client has gone, or has been sent away: there is nothing more to do on this connection."""


@dataclass(slots=True)
class Served:
    """What the server saw of one request and did about it, up to now.

    - `whole_request`: the request's body has come to its end.
    - `status`, `headers`: those of the response whose head was sent; `None` and empty without one.
    - `whole_response`: the response was sent to its end.
    - `raw`: bytes were sent that are no part of a well-formed response.
    - `client_left`: the client closed the connection, or broke it, before the server was done.
    - `usage`: the usage that a client knows of what was sent, in the API's fields; `None` if it was told none.
    - `over`: the server is done with the request: nothing here changes any more.
    """

    request: Received
    whole_request: bool = False
    status: int | None = None
    headers: Headers = ()
    whole_response: bool = False
    raw: bool = False
    client_left: bool = False
    usage: Json | None = None
    over: bool = False


class TurnedDown(Exception):
    """The request is not one that the API would see: its edge answers it with this error, and closes."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.message = message


def _too_large() -> TurnedDown:
    return TurnedDown(413, "request_too_large", "Request exceeds the maximum size")


def _too_late() -> TurnedDown:
    return TurnedDown(408, "timeout_error", "The request did not arrive in time")


class Link:
    """A server-side connection: it can be written to in segments, held, closed (FIN) and reset (RST).

    `written` counts the bytes that were sent. `client_left` is whether the client has closed it, or broken it.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.written = 0
        self.client_left = False
        self._deadline: asyncio.TimerHandle | None = None
        self.patience = math.inf

    def expect_the_rest(self) -> None:
        """Begin to count the time that a request may take to arrive; harmless if it is counted already."""
        if self._deadline is None and self.patience < math.inf:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self.patience, self._reader.set_exception, _too_late())

    def expect_nothing(self) -> None:
        """Stop to count: the request has come, or nothing of the next one has."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    async def read(self) -> bytes:
        """Return some bytes, or none at the end. A broken connection is at its end. Raises `TurnedDown` when late."""
        data = b""
        with contextlib.suppress(OSError):
            data = await self._reader.read(_READ)
        self.client_left = not data
        return data

    async def write(self, data: bytes, segment: int = 0) -> None:
        """Send the bytes, in TCP segments of that size if it is not 0. Raises `Disconnected` if the client has gone."""
        self.written += len(data)
        try:
            for start in range(0, len(data), segment or len(data) or 1):
                self._writer.write(data[start : start + segment] if segment else data)
                await self._writer.drain()
                if segment:
                    await asyncio.sleep(0.0005)  # a pause of its own, or the kernel joins segments into one read
        except OSError:
            self.client_left = True
            raise Disconnected from None

    async def hold(self) -> None:
        """Keep the connection open and silent until the client closes it."""
        while await self.read():
            pass

    async def linger(self) -> None:
        """Say that nothing more is sent, and throw away what still comes: an unread rest would reset the connection."""
        self.expect_nothing()
        with contextlib.suppress(OSError, asyncio.TimeoutError, TurnedDown):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            await asyncio.wait_for(self.hold(), _LINGER)

    async def settle(self) -> None:
        """Give the client time to read what has been written before it meets what follows."""
        await asyncio.sleep(0.02)

    async def close(self) -> None:
        """Close it in order: what has been written arrives, then a FIN. Never raises."""
        self.expect_nothing()
        with contextlib.suppress(OSError):
            self._writer.close()
            await self._writer.wait_closed()

    async def reset(self) -> None:
        """Break it: an RST instead of a FIN, after what has been written."""
        await self.settle()
        raw: socket.socket | None = self._writer.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        self._writer.transport.abort()

    def abort(self) -> None:
        """Let go of it at once. Never raises."""
        self._writer.transport.abort()


class Exchange:
    """A request that has come on a connection, and the response to it. `served` says how far it has come."""

    def __init__(self, link: Link, http: h11.Connection, head: h11.Request, number: int) -> None:
        self.link = link
        self.number = number
        self._http = http
        self._head = head
        self._chunked = False
        self._raw_from = link.written
        self.request = self._received(b"")
        self.served = Served(self.request)

    def _received(self, body: bytes) -> Received:
        head = self._head
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers.raw_items())
        return Received(head.method.decode(), head.target.decode("latin-1"), headers, body, self.number)

    async def read_body(self) -> None:
        """Read the request's body, which `request` has from then on. Raises `TurnedDown` if it is too large or late."""
        if int(self.request.header("content-length") or 0) > MAX_BODY:
            raise _too_large()
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        body = bytearray()
        while not isinstance(event := await next_event(self._http, self.link), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise Disconnected
            body += event.data
            if len(body) > MAX_BODY:
                raise _too_large()
        self.link.expect_nothing()
        self.request = self.served.request = self._received(bytes(body))
        self.served.whole_request = True

    def over(self) -> None:
        """Complete `served`: the server is done with the request."""
        self.served.raw = self.link.written > self._raw_from
        self.served.client_left = self.link.client_left
        self.served.over = True

    async def _send(self, event: h11.Event, segment: int = 0) -> None:
        data = self._http.send(event) or b""
        self._raw_from += len(data)
        await self.link.write(data, segment)

    async def begin(self, status: int, headers: Headers, segment: int = 0) -> None:
        """Send the response's head. `headers` say how the body is framed."""
        self.served.status, self.served.headers = status, headers
        await self._send(h11.Response(status_code=status, headers=list(headers), reason=_reason(status)), segment)

    async def inform(self, status: int) -> None:
        """Send a response of 1xx, after which another one follows."""
        await self._send(h11.InformationalResponse(status_code=status, headers=[], reason=_reason(status)))

    async def send(self, data: bytes, segment: int = 0) -> None:
        """Send a part of the response's body; a response to HEAD has none."""
        if self._head.method == b"HEAD":
            return
        await self._send(h11.Data(data=data), segment)

    async def end(self, segment: int = 0) -> None:
        """Send the end of the response."""
        await self._send(h11.EndOfMessage(), segment)
        self.served.whole_response = True


async def next_event(http: h11.Connection, link: Link) -> h11.Event | type[h11.PAUSED]:
    """Return h11's next event, with as many reads as it takes. Raises `h11.RemoteProtocolError`, `TurnedDown`."""
    while (event := http.next_event()) is h11.NEED_DATA:
        data = await link.read()
        link.expect_the_rest()
        http.receive_data(data)
    return event  # type: ignore[return-value]


def server_side() -> h11.Connection:
    """Return the HTTP state of a new connection."""
    return h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
