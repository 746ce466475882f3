"""Turns an answer of the API into an HTTP response: a status, headers, and the encoded pieces of a body.

Rule: a body is made lazily and sent piece by piece, so that a fault can strike between any two pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from anthropic_otel.simulator import headers as api_headers
from anthropic_otel.simulator import usage
from anthropic_otel.simulator.actions import Chunks, Delivery, Encoding, Framing, Headers, Reply
from anthropic_otel.simulator.answers import Answer, Refused, Streamed, Whole
from anthropic_otel.simulator.api import Received
from anthropic_otel.simulator.exchange import Exchange, Served
from anthropic_otel.simulator.limits import Cost
from anthropic_otel.simulator.wire import Json, accepted, encoded, error_body, to_json


class Service(Protocol):
    """The part of the server that exchanges use."""

    def received(self, served: Served) -> None:
        """Adds a request to the record. The exchange goes on to update `served`."""

    def answer(self, request: Received) -> Answer:
        """Returns the API's answer to the request."""

    def issue(self, cost: Cost | None) -> tuple[str, Headers]:
        """Returns a new request id, and the headers that only the API sends: `request-id` and those of rate limits too.

        Puts the id on record. Takes `cost` from the rate limits; `None` takes nothing.
        """

    def now(self) -> float:
        """Returns the server's time, in seconds since the epoch."""

    async def before_headers(self) -> None:
        """Waits as long as the simulated API takes before its response."""

    async def between_events(self) -> None:
        """Waits as long as the simulated API takes before an event of a stream."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response that is ready to be sent with `begin`, `send` and `end`.

    - `pieces`: the encoded pieces of the body, which can be iterated once.
    - `is_stream`: whether the simulated latency between events applies.
    - `interim`: 1xx statuses to send first.
    - `told(sent)`: the token usage that a client knows after so many pieces, or `None`.
    """

    status: int
    headers: Headers
    pieces: Iterator[bytes]
    delivery: Delivery
    is_stream: bool
    interim: tuple[int, ...] = ()
    told: Callable[[int], Json | None] = lambda sent: None

    async def begin(self, exchange: Exchange, service: Service) -> None:
        """Waits the simulated latency, then sends the interim responses, the status and the headers."""
        await service.before_headers()
        for status in self.interim:
            await exchange.inform(status)
        headers = api_headers.merge(api_headers.common(service.now()), self.headers)
        await exchange.begin(self.status, headers, self.delivery.segment)

    async def send(self, exchange: Exchange, service: Service, most: int | None = None) -> None:
        """Sends the next pieces of the body, `most` at most; `None` sends all that are left."""
        for sent, piece in enumerate(islice(self.pieces, most), 1):
            if self.is_stream:
                await service.between_events()
            if self.delivery.pace:
                await asyncio.sleep(self.delivery.pace)
            # Before the piece is sent, so that a client that has received it finds its usage in the record.
            exchange.served.usage = self.told(sent)
            await exchange.send(piece, self.delivery.segment)

    async def end(self, exchange: Exchange) -> None:
        """Sends the end of the body."""
        await exchange.end(self.delivery.segment)


def of_whole(answer: Whole | Refused, reply: Reply, request: Received, service: Service) -> Response:
    """Returns a response with its body in one piece and a `content-length`.

    The body is the answer's, or `reply.body`; headers, encoding and interim statuses are those of `reply`.
    """
    headers, request_id = _heads(service, answer.cost, reply.request_id)
    plain = to_json(_value(answer, request_id, reply.error_code)) if reply.body is None else reply.body
    encoding = accepted(reply.delivery, request.header("accept-encoding"))
    body = b"".join(encoded(iter((plain,)), encoding))
    headers += (*_content(reply.content_type, encoding), ("content-length", str(len(body))))
    headers = api_headers.merge(api_headers.merge(headers, answer.headers), reply.headers)
    told = usage.told_by_message(plain, request.body) if encoding is not Encoding.BROKEN_GZIP else None
    return Response(answer.status, headers, iter((body,)), reply.delivery, False, reply.interim, lambda _: told)


def of_halves(answer: Whole | Refused, reply: Reply, framing: Framing, request: Received, service: Service) -> Response:
    """Returns a response like `of_whole` with its body in two pieces, for an exchange that breaks between them.

    `framing` is how the response tells the body's end.
    """
    whole = of_whole(answer, reply, request, service)
    body = next(whole.pieces)
    middle = len(body) // 2
    headers = whole.headers
    if framing is Framing.CHUNKED:
        headers = tuple(header for header in headers if header[0] != "content-length")
        headers += (("transfer-encoding", "chunked"),)
    halves = iter((body[:middle], body[middle:]))
    return Response(
        whole.status, headers, halves, whole.delivery, False, told=lambda sent: whole.told(1) if sent == 2 else None
    )


def of_stream(answer: Streamed, events: Iterator[Json], reply: Reply, request: Received, service: Service) -> Response:
    """Returns a chunked response with one chunk for each of the events."""
    headers, _ = _heads(service, answer.cost, reply.request_id)
    encoding = accepted(reply.delivery, request.header("accept-encoding"))
    taken: list[Json] = []

    def pieces_of() -> Iterator[bytes]:
        for event in events:
            taken.append(event)
            yield answer.wire.encode(event, reply.delivery.newline)

    pieces = pieces_of()
    headers += (*_content(answer.wire.content_type, encoding), ("cache-control", "no-cache"))
    headers += (("transfer-encoding", "chunked"),)
    headers = api_headers.merge(headers, reply.headers)
    return Response(
        200,
        headers,
        encoded(pieces, encoding),
        reply.delivery,
        True,
        reply.interim,
        lambda _: usage.told_by(taken) if encoding is not Encoding.BROKEN_GZIP else None,
    )


def of_chunks(action: Chunks, request: Received, service: Service) -> Response:
    """Returns a chunked response with exactly the chunks of the action."""
    headers, _ = _heads(service, None, action.request_id)
    encoding = accepted(action.delivery, request.header("accept-encoding"))
    headers += (*_content(action.content_type, encoding), ("transfer-encoding", "chunked"))
    return Response(
        200,
        headers,
        encoded(iter(action.chunks), encoding),
        action.delivery,
        is_stream=True,
        told=lambda sent: usage.told_in(b"".join(action.chunks[:sent])),
    )


def _heads(service: Service, cost: Cost | None, from_the_api: bool) -> tuple[Headers, str | None]:
    """Returns the headers that the API itself sends and the request id; none and `None` if `from_the_api` is false."""
    if not from_the_api:
        return (), None
    request_id, headers = service.issue(cost)
    return headers, request_id


def _content(content_type: str | None, encoding: Encoding) -> Headers:
    kind = () if content_type is None else (("content-type", content_type),)
    if encoding is Encoding.IDENTITY:
        return kind
    return (*kind, ("content-encoding", "deflate" if encoding is Encoding.DEFLATE else "gzip"))


def _value(answer: Whole | Refused, request_id: str | None, error_code: str | None) -> Json:
    if isinstance(answer, Refused):
        return error_body(answer.error_type, answer.message, request_id, error_code)
    return answer.value
