"""Carries out an `ExchangeAction` on a request.

Rule: one branch for each kind of action, closed by `assert_never`. After a connection was broken, `Disconnected` is
raised, and nothing more is sent on it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from anthropic_otel.simulator import responses
from anthropic_otel.simulator.actions import (
    Chunks,
    Cut,
    Ending,
    ErrorEvent,
    ExchangeAction,
    Point,
    Raw,
    Redirect,
    Reply,
    assert_never,
)
from anthropic_otel.simulator.answers import Answer, Refused, Streamed
from anthropic_otel.simulator.exchange import Exchange
from anthropic_otel.simulator.link import Disconnected, Link
from anthropic_otel.simulator.ratelimits import ClockError
from anthropic_otel.simulator.received import Received
from anthropic_otel.simulator.responses import Response, Service
from anthropic_otel.simulator.wire import Json, JsonLines, error_body, to_json

GARBAGE: Final = b"\x00\x01 this is neither HTTP nor TLS \xff\r\n\r\n"
_UNREAD_SECONDS: Final = 1.0
_REDIRECTED: Final = re.compile(r"/redirected/(?P<hops>[0-9]{1,9}|for-ever)(?P<target>/.*)")


def redirected(target: str) -> tuple[Redirect | Reply | None, str]:
    """Returns the action for a target that a `Redirect` led to, and the target before all redirects.

    For any other target, returns `None` and that target itself. After the last hop the action is an ordinary reply.
    """
    match = _REDIRECTED.fullmatch(target)
    if match is None:
        return None, target
    if match["hops"] == "for-ever":
        return Redirect(hops=None), match["target"]
    hops = int(match["hops"])
    return Redirect(hops) if hops else Reply(), match["target"]


async def perform(exchange: Exchange, action: ExchangeAction, service: Service) -> None:
    """Adds the request to the record, and carries out the action on the exchange.

    Reads the request's body first, except for a `Cut` at `Point.REQUEST`. Raises `Disconnected` if nothing more can be
    done on the connection. Raises `RejectedRequest` if the body is too large or late, and `h11.RemoteProtocolError` if
    it is not HTTP; such a request is not recorded. If the simulator's clock fails, the response is a 500 that says so
    and that the SDK does not retry.
    """
    if isinstance(action, Cut) and action.point is Point.REQUEST:
        service.received(exchange.served)
        await _end_unread(exchange.link, action.ending)
    await exchange.read_body()
    service.received(exchange.served)
    try:
        await _carry_out(exchange, action, service)
    except ClockError as error:
        # The clock is read before the head of a response is sent, and not after that.
        await _send_clock_error(exchange, error)


async def _carry_out(exchange: Exchange, action: ExchangeAction, service: Service) -> None:
    match action:
        case Reply():
            await _send_all(exchange, _ordinary(exchange, action, service), service)
        case Chunks():
            await _send_chunks(exchange, action, service)
        case Raw():
            await exchange.link.write(action.data)
            await end(exchange.link, action.ending)
        case Cut():
            await _cut(exchange, action, service)
        case ErrorEvent():
            await _send_all(exchange, _with_error(exchange, action, service), service)
        case Redirect():
            await _send_all(exchange, _redirect_response(exchange, action, service), service)
        case _:
            assert_never(action)


async def _send_clock_error(exchange: Exchange, error: ClockError) -> None:
    body = to_json(error_body("api_error", str(error)))
    headers = (("content-type", "application/json"), ("content-length", str(len(body))), ("x-should-retry", "false"))
    await exchange.begin(500, headers)
    await exchange.send(body)
    await exchange.end()


def _request(exchange: Exchange) -> Received:
    """Returns the request that is answered, with the target that it had before any redirects."""
    return replace(exchange.request, target=redirected(exchange.request.target)[1])


async def _send_all(exchange: Exchange, response: Response, service: Service) -> None:
    await response.begin(exchange, service)
    await response.send(exchange, service)
    await response.end(exchange)


async def _send_chunks(exchange: Exchange, action: Chunks, service: Service) -> None:
    response = responses.of_chunks(action, _request(exchange), service)
    await response.begin(exchange, service)
    await response.send(exchange, service)
    if action.ending is not Ending.CLEAN:
        await end(exchange.link, action.ending)
    await response.end(exchange)


def _ordinary(exchange: Exchange, reply: Reply, service: Service) -> Response:
    answer = _answer(exchange, reply, service)
    if isinstance(answer, Streamed):
        events = answer.events(reply.delivery.pings)
        return responses.of_stream(answer, events, reply, _request(exchange), service)
    return responses.of_whole(answer, reply, _request(exchange), service)


def _answer(exchange: Exchange, reply: Reply, service: Service) -> Answer:
    if reply.error_type is None and reply.body is None:
        return service.answer(exchange.request)
    return Refused(reply.status, reply.error_type or "", reply.message)


def _with_error(exchange: Exchange, action: ErrorEvent, service: Service) -> Response:
    reply = Reply(delivery=action.delivery)
    answer = service.answer(exchange.request)
    if not isinstance(answer, Streamed):
        return responses.of_whole(answer, reply, _request(exchange), service)
    if isinstance(answer.wire, JsonLines):
        return responses.of_stream(answer, answer.events(0), reply, _request(exchange), service)
    begun = islice(answer.events(reply.delivery.pings), action.after)
    events = _then(begun, error_body(action.error_type, action.message))
    return responses.of_stream(answer, events, reply, _request(exchange), service)


def _then(events: Iterator[Json], last: Json) -> Iterator[Json]:
    yield from events
    yield last


def _redirect_response(exchange: Exchange, action: Redirect, service: Service) -> Response:
    target = redirected(exchange.request.target)[1]
    hops = "for-ever" if action.hops is None else str(action.hops - 1)
    reply = Reply(307, body=b"", headers=(("location", f"/redirected/{hops}{target}"),), request_id=False)
    return responses.of_whole(Refused(307, "", ""), reply, _request(exchange), service)


async def _cut(exchange: Exchange, action: Cut, service: Service) -> None:
    if action.point is Point.BODY:
        response = _breakable(exchange, action, service)
        await response.begin(exchange, service)
        await response.send(exchange, service, action.after)
        if action.ending is Ending.CLEAN:
            await response.end(exchange)
            return
    else:
        await service.before_headers()
    await end(exchange.link, action.ending)


def _breakable(exchange: Exchange, action: Cut, service: Service) -> Response:
    reply = action.reply or Reply()
    answer = _answer(exchange, reply, service)
    if isinstance(answer, Streamed):
        return responses.of_stream(answer, answer.events(reply.delivery.pings), reply, _request(exchange), service)
    return responses.of_halves(answer, reply, action.framing, _request(exchange), service)


async def end(link: Link, ending: Ending) -> None:
    """Ends the connection in the manner of `ending`. Always raises `Disconnected`.

    RESET sends an RST, and GARBAGE bytes that are not of the protocol, both after 20 ms. STALL waits until the client
    closes. CLOSE and CLEAN do nothing more; the listener, which catches the exception, sends the FIN.
    """
    match ending:
        case Ending.RESET:
            await link.reset()
        case Ending.STALL:
            await link.hold()
        case Ending.GARBAGE:
            await link.settle()
            await link.write(GARBAGE)
        case Ending.CLOSE | Ending.CLEAN:
            pass
        case _:
            assert_never(ending)
    raise Disconnected


async def _end_unread(link: Link, ending: Ending) -> None:
    """Ends the connection in the manner of `ending` while the client still sends its request.

    Always raises `Disconnected`. A server that does not read cannot notice that the client leaves, so STALL resets the
    connection after a second.
    """
    if ending is Ending.STALL:
        await asyncio.sleep(_UNREAD_SECONDS)
        ending = Ending.RESET
    await end(link, ending)
