"""Proxies that do not connect the client to the API, and endless redirects."""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.semconv import NetworkCause as Cause
from anthropic_otel._core.semconv import Phase
from anthropic_otel.simulator.actions import Redirect
from anthropic_otel.simulator.addresses import Proxy, ProxyAnswer
from anthropic_otel.simulator.faults import HTTPX, HTTPX2, STACKS, Fault, Needs, Where, answered, network

_SOON: Final = 0.3
_HTTPCORE: Final = frozenset({HTTPX, HTTPX2})
"""Without aiohttp, which takes no SOCKS proxy, and has no timeout for the answer to CONNECT alone."""


def _refusing(
    name: str,
    description: str,
    answer: ProxyAnswer,
    *errno: str,
    scheme: str = "http",
) -> Fault:
    """Returns a network fault: a proxy that gives `answer` in place of a connection to the API.

    `errno` are names of system errors, one of which is in the exception chain; none: there is no such error. `scheme`
    is that of the proxy's URL; a fault of SOCKS is for httpx and httpx2 only.
    """
    return network(
        name,
        description,
        Where.CONNECT,
        Proxy(answer, scheme=scheme),
        Cause.PROXY_ERROR,
        Phase.CONNECT,
        errno=errno,
        applies_to=STACKS if scheme == "http" else _HTTPCORE,
        needs=Needs(proxy=scheme),
    )


def _socks(name: str, description: str, answer: ProxyAnswer, *errno: str) -> Fault:
    return _refusing(name, description, answer, *errno, scheme="socks5")


FAULTS: Final = (
    _refusing("proxy_refused", "Nothing listens at the proxy's address.", ProxyAnswer.REFUSED, "ECONNREFUSED"),
    _refusing("proxy_407", "The proxy answers 407 to CONNECT.", ProxyAnswer.UNAUTHORIZED),
    _refusing("proxy_502", "The proxy answers 502 to CONNECT.", ProxyAnswer.BAD_GATEWAY),
    _refusing("proxy_403", "The proxy answers 403 to CONNECT.", ProxyAnswer.FORBIDDEN),
    _refusing(
        "proxy_unknown_name",
        "The proxy's host name does not exist.",
        ProxyAnswer.UNKNOWN_NAME,
        "EAI_NONAME",
        "EAI_AGAIN",
    ),
    _refusing("proxy_silent", "The proxy closes the connection without an answer to CONNECT.", ProxyAnswer.NOTHING),
    _refusing("proxy_garbage", "The proxy answers CONNECT with bytes that are not HTTP.", ProxyAnswer.GARBAGE),
    network(
        "proxy_plain",
        "The proxy's URL begins with https, and the proxy speaks no TLS.",
        Where.CONNECT,
        Proxy(ProxyAnswer.FORBIDDEN, scheme="https"),
        Cause.PROXY_ERROR,
        Phase.TLS,
        needs=Needs(proxy="https"),
    ),
    network(
        "proxy_stalled",
        "The proxy never answers CONNECT.",
        Where.CONNECT,
        Proxy(ProxyAnswer.SILENCE),
        Cause.CONNECT_TIMEOUT,
        Phase.CONNECT,
        applies_to=_HTTPCORE,
        needs=Needs(proxy="http", read_timeout=_SOON),
    ),
    _socks("proxy_socks", "The SOCKS proxy does not allow the connection.", ProxyAnswer.NOT_ALLOWED),
    _socks(
        "proxy_socks_none",
        "The server at the SOCKS proxy's address answers with bytes that are not SOCKS.",
        ProxyAnswer.GARBAGE,
    ),
    _socks("proxy_socks_http", "The server at the SOCKS proxy's address is an HTTP proxy.", ProxyAnswer.FORBIDDEN),
    _socks("proxy_socks_silent", "The SOCKS proxy closes the connection without an answer.", ProxyAnswer.NOTHING),
    _socks("proxy_socks_refused", "Nothing listens at the SOCKS proxy's address.", ProxyAnswer.REFUSED, "ECONNREFUSED"),
    answered(
        "proxy_http_407",
        "The proxy answers 407 to a plain http request: a response like any other.",
        Proxy(ProxyAnswer.UNAUTHORIZED, target="http"),
        "407",
        status=407,
        request_id=False,
        needs=Needs(proxy="http"),
    ),
    network(
        "too_many_redirects",
        "Every 307 leads to another 307.",
        Where.RESPONSE,
        Redirect(hops=None),
        Cause.TOO_MANY_REDIRECTS,
        Phase.RECEIVE,
    ),
)
