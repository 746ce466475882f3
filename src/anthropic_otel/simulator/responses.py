"""Turns an answer of the API into an HTTP response: a status, headers, and the encoded pieces of a body.

Rule: a body is an iterator of pieces, which are sent one by one, so that a fault can strike between any two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

from anthropic_otel.simulator import headers as api_headers
from anthropic_otel.simulator import usage
from anthropic_otel.simulator.actions import Chunks, Delivery, Encoding, Framing, Headers, Reply
from anthropic_otel.simulator.answers import Answer, Refused, Streamed, Whole
from anthropic_otel.simulator.encodings import decoded
from anthropic_otel.simulator.exchange import Exchange, Served
from anthropic_otel.simulator.limits import Cost
from anthropic_otel.simulator.platforms import OF_GOOGLE, Platform, is_of_google, refusal, route_of
from anthropic_otel.simulator.received import Received
from anthropic_otel.simulator.statuses import BODILESS
from anthropic_otel.simulator.wire import Json, accepted, encoded, to_json


class Service(Protocol):
    """What an exchange needs of the server: the record, the API's answers, rate limits, the time and the latency."""

    def received(self, served: Served) -> None:
        """Adds a request to the record. The record keeps `served` itself, which the exchange goes on to update."""

    def answer(self, request: Received) -> Answer:
        """Returns the API's answer to the request; a 429 in place of a reply for which a rate limit has no room."""

    def issue(self, cost: Cost | None, platform: Platform) -> tuple[str, Headers]:
        """Returns a new request id, and the headers that only the API sends: `request-id` and those of rate limits too.

        On another platform these are the platform's. Puts the id on record. Takes `cost` from the rate limits; `None`
        takes nothing.
        """

    def now(self) -> float:
        """Returns the server's time, in seconds since the epoch. Raises `ClockError` if there is none."""

    async def before_headers(self) -> None:
        """Waits as long as the simulated API takes before its response."""

    async def between_events(self) -> None:
        """Waits as long as the simulated API takes before an event of a stream."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response that is ready to be sent with `begin`, `send` and `end`, which raise what `Link.write` raises.

    - `headers`: all, but that `begin` adds a `date` if there is none.
    - `pieces`: the encoded pieces of the body, which can be iterated once.
    - `delivery`: the pause before each piece, and the size of TCP segments. Its encoding is applied already.
    - `is_stream`: whether the simulated latency between events applies.
    - `interim`: 1xx statuses to send first.
    - `usage_after(sent)`: the token usage that a client knows after the first `sent` pieces; `None` if it knows none.
    """

    status: int
    headers: Headers
    pieces: Iterator[bytes]
    delivery: Delivery
    is_stream: bool
    interim: tuple[int, ...] = ()
    usage_after: Callable[[int], Json | None] = lambda sent: None

    async def begin(self, exchange: Exchange, service: Service) -> None:
        """Waits the simulated latency, then sends the interim responses, the status and the headers.

        A `date` of the server's time is added, if the response has no other. Raises `ClockError` if the clock fails.
        """
        await service.before_headers()
        for status in self.interim:
            await exchange.inform(status)
        headers = api_headers.merge(api_headers.common(service.now()), self.headers)
        await exchange.begin(self.status, headers, self.delivery.segment)

    async def send(self, exchange: Exchange, service: Service, most: int | None = None) -> None:
        """Sends the pieces of the body, the first `most` of them; `None` sends all. Call it once.

        Before each piece it waits the simulated latency between events (streams only) and the delivery's `pace`, and
        then sets `exchange.served.usage` to what a client knows once it has this piece too; the response to a HEAD
        request has no body, so its usage stays `None`.
        """
        has_body = exchange.request.method != "HEAD"
        for sent, piece in enumerate(islice(self.pieces, most), 1):
            if self.is_stream:
                await service.between_events()
            if self.delivery.pace:
                await asyncio.sleep(self.delivery.pace)
            # Before the piece is sent, so that a client that has received it finds its usage in the record.
            exchange.served.usage = self.usage_after(sent) if has_body else None
            await exchange.send(piece, self.delivery.segment)

    async def end(self, exchange: Exchange) -> None:
        """Sends the end of the body."""
        await exchange.end(self.delivery.segment)


def of_whole(answer: Whole | Refused, reply: Reply, request: Received, service: Service) -> Response:
    """Returns a response with its body in one piece and a `content-length`.

    The status is the answer's. The body is `reply.body`, or else the answer's body or JSON, in the encoding of the
    delivery; GZIP and DEFLATE are used only if the request accepts them, and none for a 204 or 304. An error has the
    form of the platform that the request's path belongs to. If `reply.request_id`, the response has the headers that
    only the API or the platform sends, and the answer's cost is taken from the rate limits. A refusal of Google's own
    has no id of the request, and takes nothing. The answer's headers replace any of the same name, and those of `reply`
    replace the answer's. Interim statuses are those of `reply`.
    """
    if isinstance(answer, Refused) and is_of_google(route_of(request.target), answer.status):
        headers, request_id = OF_GOOGLE if reply.request_id else (), None
    else:
        headers, request_id = _api_headers(service, request, answer.cost, reply.request_id)
    plain = reply.body
    if plain is None and isinstance(answer, Whole):
        plain = answer.body
    if plain is None:
        value, more = _value(answer, request, request_id, reply.error_code)
        plain, headers = to_json(value), headers + more
    encoding = _encoding(answer.status, reply.delivery, request)
    body = b"".join(encoded(iter((plain,)), encoding))
    headers += (*_content(reply.content_type, encoding), ("content-length", str(len(body))))
    headers = api_headers.merge(api_headers.merge(headers, answer.headers), reply.headers)
    asked = decoded(request.body, request.header("content-encoding"), request.target)
    used = (
        usage.in_message(plain, asked if isinstance(asked, bytes) else b"")
        if encoding is not Encoding.BROKEN_GZIP
        else None
    )
    return Response(answer.status, headers, iter((body,)), reply.delivery, False, reply.interim, lambda _: used)


def of_halves(answer: Whole | Refused, reply: Reply, framing: Framing, request: Received, service: Service) -> Response:
    """Returns a response like `of_whole`, but with its body in two pieces, for an exchange that breaks between them.

    CHUNKED `framing` replaces the `content-length` by a chunked transfer encoding. A client knows the body's usage only
    after both pieces.
    """
    whole = of_whole(answer, reply, request, service)
    body = next(whole.pieces)
    middle = len(body) // 2
    headers = whole.headers
    if framing is Framing.CHUNKED:
        headers = tuple(header for header in headers if header[0] != "content-length")
        headers += (("transfer-encoding", "chunked"),)
    halves = iter((body[:middle], body[middle:]))
    return replace(
        whole, headers=headers, pieces=halves, usage_after=lambda sent: whole.usage_after(1) if sent == 2 else None
    )


def of_stream(answer: Streamed, events: Iterator[Json], reply: Reply, request: Received, service: Service) -> Response:
    """Returns a chunked response with status 200 and one chunk for each of the events, encoded by the answer's `wire`.

    The content encoding is that of `reply.delivery`; GZIP and DEFLATE are used only if the request accepts them. If
    `reply.request_id`, the response has the headers that only the API or the platform sends, and the answer's cost is
    taken from the rate limits. The headers of `reply` replace any of the same name, and its interim statuses are sent
    first. With a compressed encoding a last chunk, without an event, ends the compressed data.
    """
    headers, _ = _api_headers(service, request, answer.cost, reply.request_id)
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
        lambda _: usage.in_events(taken) if encoding is not Encoding.BROKEN_GZIP else None,
    )


def of_chunks(action: Chunks, request: Received, service: Service) -> Response:
    """Returns a chunked response with status 200 and exactly the chunks of the action, each encoded as it says.

    GZIP and DEFLATE are used only if the request accepts them. Then a last chunk, with no more bytes in it once
    decoded, ends the compressed data. If `action.request_id`, the response has the headers that only the API or the
    platform sends. Takes nothing from the rate limits.
    """
    headers, _ = _api_headers(service, request, None, action.request_id)
    encoding = accepted(action.delivery, request.header("accept-encoding"))
    headers += (*_content(action.content_type, encoding), ("transfer-encoding", "chunked"))
    return Response(
        200,
        headers,
        encoded(iter(action.chunks), encoding),
        action.delivery,
        is_stream=True,
        usage_after=lambda sent: (
            usage.in_stream(b"".join(action.chunks[:sent])) if encoding is not Encoding.BROKEN_GZIP else None
        ),
    )


def _api_headers(
    service: Service, request: Received, cost: Cost | None, from_the_api: bool
) -> tuple[Headers, str | None]:
    """Returns the headers that only the API or the platform sends, and a new request id; takes `cost` from the limits.

    If `from_the_api` is false, returns no headers and `None`, and takes nothing.
    """
    if not from_the_api:
        return (), None
    request_id, headers = service.issue(cost, route_of(request.target).platform)
    return headers, request_id


def _content(content_type: str | None, encoding: Encoding) -> Headers:
    kind = () if content_type is None else (("content-type", content_type),)
    if encoding is Encoding.IDENTITY:
        return kind
    return (*kind, ("content-encoding", "deflate" if encoding is Encoding.DEFLATE else "gzip"))


def _encoding(status: int, delivery: Delivery, request: Received) -> Encoding:
    """Returns the encoding to send a body in: what `accepted` returns, but IDENTITY for a 204 and a 304.

    These must have no body, and even an empty one has bytes in any other encoding.
    """
    return Encoding.IDENTITY if status in BODILESS else accepted(delivery, request.header("accept-encoding"))


def _value(
    answer: Whole | Refused, request: Received, request_id: str | None, error_code: str | None
) -> tuple[Json | list[Json], Headers]:
    """Returns the JSON of the answer, and the headers that only an error of a platform has; none for other answers."""
    if isinstance(answer, Refused):
        route = route_of(request.target)
        code = error_code or answer.code
        value, more = refusal(route, answer.status, answer.error_type, answer.message, request_id, code)
        if answer.details and isinstance(value, dict) and "details" in (error := value.get("error") or {}):
            error["details"] |= dict(answer.details)
        return value, more
    return answer.value, ()
