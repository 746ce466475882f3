"""One request on a connection to the server, with its response (`Exchange`).

Rule: HTTP framing only, no faults. h11 does it; bytes that are to break it go to `Link.write` instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import h11

from anthropic_otel.simulator.actions import Headers
from anthropic_otel.simulator.link import Disconnected, Link, too_large
from anthropic_otel.simulator.received import Received
from anthropic_otel.simulator.sizes import max_body
from anthropic_otel.simulator.wire import Json

_MAX_HEAD: Final = 64 * 1024


@dataclass(slots=True)
class Served:
    """What the server has seen of one request and sent back, up to now.

    - `request`: the request. Its body is empty until all of it has been read.
    - `whole_request`: all of the request has been read.
    - `status`, `headers`: of the response whose head was sent; `None` and empty if none was. The headers are as
      they were before `connection: close` was added and, for HTTP/1.0, the chunked framing taken out.
    - `whole_response`: the response was sent to its end.
    - `raw`: bytes were sent that are no part of a well-formed response. Set when the server is done.
    - `client_left`: the client closed or broke the connection before the server was done, as far as the server has
      noticed. Set when the server is done.
    - `usage`: the token usage in the parts of the body that were sent, in the API's fields; `None` if there was none.
    - `over`: the server is done with the request; no field changes any more.
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


class Exchange:
    """A request that has arrived on a connection, and the response to it.

    `http` has read its `head` from `link`, and frames the response. `begin`, `inform`, `send` and `end` raise what
    `Link.write` raises, and their `segment` is as there.

    - `link`: the connection; `number`: its number, counted from 1.
    - `request`: the request; its body is empty until `read_body`.
    - `served`: what has been received and sent so far.
    """

    def __init__(self, link: Link, http: h11.Connection, head: h11.Request, number: int) -> None:
        self.link = link
        self.number = number
        self._http = http
        self._head = head
        self._raw_from = link.written
        self.request = self._received(b"")
        self.served = Served(self.request)

    def _received(self, body: bytes) -> Received:
        head = self._head
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers.raw_items())
        target = head.target.decode("latin-1")
        return Received(head.method.decode(), target, headers, body, self.number, self.link.is_tls)

    async def read_body(self) -> None:
        """Reads the request's body, and replaces `request` and `served.request` by a request that has it.

        Sends a `100 Continue` first if the client waits for one. Afterwards cancels the request's deadline, and sets
        `served.whole_request`. Raises `RejectedRequest` if the body is larger than `max_body` or comes too late,
        `h11.RemoteProtocolError` if it is not HTTP or ends too early, and `Disconnected` if the client has left before
        the `100 Continue`.
        """
        most = max_body(self.request.target)
        if int(self.request.header("content-length") or 0) > most:
            raise too_large()
        if self._http.they_are_waiting_for_100_continue:
            await self._send(h11.InformationalResponse(status_code=100, headers=[]))
        body = bytearray()
        while not isinstance(event := await next_event(self._http, self.link), h11.EndOfMessage):
            if not isinstance(event, h11.Data):
                raise Disconnected
            body += event.data
            if len(body) > most:
                raise too_large()
        self.link.expect_nothing()
        self.request = self.served.request = self._received(bytes(body))
        self.served.whole_request = True

    def over(self) -> None:
        """Sets `raw`, `client_left` and `over` of `served`, whose fields do not change any more."""
        self.served.raw = self.link.written > self._raw_from
        self.served.client_left = self.link.client_left
        self.served.over = True

    async def _send(self, event: h11.Event, segment: int = 0) -> None:
        data = self._http.send(event) or b""
        self._raw_from += len(data)
        await self.link.write(data, segment)

    async def begin(self, status: int, headers: Headers, segment: int = 0) -> None:
        """Sends the status line and headers of the response, and puts both on record in `served`.

        `headers` must say how the body is framed. Those on record are as given; see `Served`.
        """
        self.served.status, self.served.headers = status, headers
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._send(h11.Response(status_code=status, headers=raw, reason=_reason(status)), segment)

    async def inform(self, status: int) -> None:
        """Sends an interim response without headers; `status` is a 1xx. The final response follows."""
        await self._send(h11.InformationalResponse(status_code=status, headers=[], reason=_reason(status)))

    async def send(self, data: bytes, segment: int = 0) -> None:
        """Sends a part of the response's body. Does nothing in the response to a HEAD request."""
        if self._head.method == b"HEAD":
            return
        await self._send(h11.Data(data=data), segment)

    async def end(self, segment: int = 0) -> None:
        """Sends the end of the response's body, and marks the response as whole in `served`."""
        await self._send(h11.EndOfMessage(), segment)
        self.served.whole_response = True


async def next_event(http: h11.Connection, link: Link) -> h11.Event | type[h11.PAUSED]:
    """Returns h11's next event, reading as often as that takes; each read is followed by `Link.expect_the_rest`.

    Raises `h11.RemoteProtocolError` for bytes that are not HTTP, and `RejectedRequest` if the deadline has passed.
    """
    while (event := http.next_event()) is h11.NEED_DATA:
        data = await link.read()
        link.expect_the_rest()
        http.receive_data(data)
    return event  # type: ignore[return-value]


def server_side() -> h11.Connection:
    """Returns a new h11 connection in the role of the server. It rejects a request head of more than 64 KB."""
    return h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)


def _reason(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
