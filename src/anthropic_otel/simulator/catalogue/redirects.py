"""Statuses of 3xx that the client does not follow, so that the SDK raises, and redirects to another address."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from anthropic_otel._core.semconv import AttemptOutcome, Phase
from anthropic_otel._core.semconv import NetworkCause as Cause
from anthropic_otel.simulator.actions import Cut, Ending, ExchangeAction, Headers, Point, Reply
from anthropic_otel.simulator.addresses import Detour, Place
from anthropic_otel.simulator.catalogue.event_streams import MESSAGE
from anthropic_otel.simulator.faults import NO_NEEDS, Fault, Needs, Where, answered, network, refused
from anthropic_otel.simulator.wire import to_json

_HERE: Final = Needs(follow_redirects=False)
_ELSEWHERE: Final = (("location", "/elsewhere"),)


def _unfollowed(status: int, name: str, description: str, headers: Headers = (), *, needs: Needs = NO_NEEDS) -> Fault:
    reply = Reply(status, body=b"", content_type=None, headers=headers)
    return refused(name, description, reply, retried=False, needs=needs)


_UNFOLLOWED: Final = (
    _unfollowed(300, "http_300", "The server leaves the choice to the client."),
    _unfollowed(301, "http_301_nowhere", "A 301 has no `location`."),
    _unfollowed(302, "http_302_nowhere", "A 302 has no `location`."),
    _unfollowed(303, "http_303_nowhere", "A 303 has no `location`."),
    _unfollowed(304, "http_304", "A cache on the way answers 304, as if the client had the answer already."),
    _unfollowed(305, "http_305", "The server wants a proxy to be used.", _ELSEWHERE),
    _unfollowed(307, "http_307_nowhere", "A 307 has no `location`."),
    _unfollowed(308, "http_308_nowhere", "A 308 has no `location`."),
    _unfollowed(302, "http_302_unfollowed", "A 302 is not followed.", _ELSEWHERE, needs=_HERE),
    _unfollowed(307, "http_307_unfollowed", "A 307 is not followed.", _ELSEWHERE, needs=_HERE),
    _unfollowed(308, "http_308_unfollowed", "A 308 is not followed.", _ELSEWHERE, needs=_HERE),
)


def _refused(name: str, description: str, to: ExchangeAction, status: int, *, retried: bool, via: int = 307) -> Fault:
    return answered(name, description, Detour(to, via), str(status), status=status, retried=retried)


_OVERLOADED: Final = Reply(529, "overloaded_error", "Overloaded")
_GET: Final = Reply(405, "invalid_request_error", "Method Not Allowed")
_ANSWER: Final = Reply(body=to_json(MESSAGE | {"stop_reason": "end_turn"}))
"""A fixed message. The simulated API would refuse a redirected request of httpx2, which sends no key to another port.
"""
_GATEWAY: Final = Reply(503, body=b"unavailable", content_type="text/plain", request_id=False)

_FOLLOWED: Final = (
    _refused(
        "redirect_529", "A 307 leads to another port, where the API is overloaded.", _OVERLOADED, 529, retried=True
    ),
    replace(
        _refused("redirect_gateway", "A 307 leads to a gateway without a request id.", _GATEWAY, 503, retried=True),
        request_id=False,
    ),
    _refused(
        "redirect_301", "A 301 turns the request into a GET, which is refused.", _GET, 405, retried=False, via=301
    ),
    _refused(
        "redirect_302", "A 302 turns the request into a GET, which is refused.", _GET, 405, retried=False, via=302
    ),
    _refused(
        "redirect_303", "A 303 turns the request into a GET, which is refused.", _GET, 405, retried=False, via=303
    ),
    replace(
        _refused("ok_308", "A 308 leads to another port, where the API answers.", _ANSWER, 200, retried=False, via=308),
        where=Where.NOWHERE,
        error_type=None,
        outcome=AttemptOutcome.COMPLETED,
    ),
)


def _unreached(
    name: str,
    description: str,
    to: Place | ExchangeAction,
    cause: Cause,
    phase: Phase,
    *errno: str,
    needs: Needs = NO_NEEDS,
) -> Fault:
    return network(name, description, Where.CONNECT, Detour(to), cause, phase, errno=errno, needs=needs)


_UNREACHED: Final = (
    _unreached(
        "redirect_refused",
        "A 307 leads to a port that nothing listens on.",
        Place.REFUSED,
        Cause.CONNECTION_REFUSED,
        Phase.CONNECT,
        "ECONNREFUSED",
    ),
    _unreached(
        "redirect_unknown_name",
        "A 307 leads to a host name that does not exist.",
        Place.UNKNOWN_NAME,
        Cause.NAME_RESOLUTION_ERROR,
        Phase.CONNECT,
        "EAI_NONAME",
        "EAI_AGAIN",
    ),
    _unreached(
        "redirect_unreachable",
        "A 307 leads to an address that the kernel has no route to.",
        Place.UNREACHABLE,
        Cause.NETWORK_UNREACHABLE,
        Phase.CONNECT,
        "ENETUNREACH",
    ),
    _unreached(
        "redirect_reset",
        "A 307 leads to a server that resets the connection before any headers.",
        Cut(Point.HEADERS, Ending.RESET),
        Cause.CONNECTION_RESET,
        Phase.WAIT,
        "ECONNRESET",
    ),
    _unreached(
        "redirect_disconnected",
        "A 307 leads to a server that closes the connection before any headers.",
        Cut(Point.HEADERS, Ending.CLOSE),
        Cause.SERVER_DISCONNECTED,
        Phase.WAIT,
    ),
    _unreached(
        "redirect_timeout",
        "A 307 leads to a server that never answers.",
        Cut(Point.HEADERS, Ending.STALL),
        Cause.READ_TIMEOUT,
        Phase.WAIT,
        needs=Needs(read_timeout=0.3),
    ),
)

FAULTS: Final = (*_UNFOLLOWED, *_FOLLOWED, *_UNREACHED)
