"""A proxy stands between the client and the API, and does not let it through; or redirects lead nowhere.

aiohttp under the SDK takes no proxy of the kinds that are made here, so these are for httpx and httpx2.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.semconv import AttemptOutcome, Phase
from anthropic_otel._core.semconv import NetworkCause as Cause
from anthropic_otel.simulator.actions import Proxy, ProxyAnswer, Redirect
from anthropic_otel.simulator.faults import HTTPX, HTTPX2, Fault, Needs, Where, network

_STACKS: Final = frozenset({HTTPX, HTTPX2})
_HTTP: Final = Needs(proxy="http")
_SOCKS: Final = Needs(proxy="socks5")

FAULTS: Final = (
    network(
        "proxy_refused",
        "Nobody listens at the proxy's address.",
        Where.CONNECT,
        Proxy(ProxyAnswer.REFUSED),
        Cause.PROXY_ERROR,
        Phase.CONNECT,
        errno=("ECONNREFUSED",),
        applies_to=_STACKS,
        needs=_HTTP,
    ),
    network(
        "proxy_407",
        "The proxy answers 407 to CONNECT.",
        Where.CONNECT,
        Proxy(ProxyAnswer.UNAUTHORIZED),
        Cause.PROXY_ERROR,
        Phase.CONNECT,
        applies_to=_STACKS,
        needs=_HTTP,
    ),
    network(
        "proxy_502",
        "The proxy answers 502 to CONNECT.",
        Where.CONNECT,
        Proxy(ProxyAnswer.BAD_GATEWAY),
        Cause.PROXY_ERROR,
        Phase.CONNECT,
        applies_to=_STACKS,
        needs=_HTTP,
    ),
    network(
        "proxy_403",
        "The proxy answers 403 to CONNECT.",
        Where.CONNECT,
        Proxy(ProxyAnswer.FORBIDDEN),
        Cause.PROXY_ERROR,
        Phase.CONNECT,
        applies_to=_STACKS,
        needs=_HTTP,
    ),
    network(
        "proxy_unknown_name",
        "The proxy's host name does not exist.",
        Where.CONNECT,
        Proxy(ProxyAnswer.UNKNOWN_NAME),
        Cause.PROXY_ERROR,
        Phase.CONNECT,
        errno=("EAI_NONAME", "EAI_AGAIN"),
        applies_to=_STACKS,
        needs=_HTTP,
    ),
    network(
        "proxy_silent",
        "The proxy closes the connection without an answer to CONNECT.",
        Where.CONNECT,
        Proxy(ProxyAnswer.NOTHING),
        Cause.PROXY_ERROR,
        Phase.CONNECT,
        applies_to=_STACKS,
        needs=_HTTP,
    ),
    network(
        "proxy_garbage",
        "The proxy answers CONNECT with bytes that are not HTTP.",
        Where.CONNECT,
        Proxy(ProxyAnswer.GARBAGE),
        Cause.PROTOCOL_ERROR,
        Phase.CONNECT,
        applies_to=_STACKS,
        needs=_HTTP,
    ),
    network(
        "proxy_socks",
        "The SOCKS proxy does not allow the connection.",
        Where.CONNECT,
        Proxy(ProxyAnswer.NOT_ALLOWED, scheme="socks5"),
        Cause.PROXY_ERROR,
        Phase.CONNECT,
        applies_to=_STACKS,
        needs=_SOCKS,
    ),
    network(
        "proxy_socks_none",
        "The SOCKS proxy is none: it answers with bytes that are not SOCKS.",
        Where.CONNECT,
        Proxy(ProxyAnswer.GARBAGE, scheme="socks5"),
        Cause.PROXY_ERROR,
        Phase.CONNECT,
        applies_to=_STACKS,
        needs=_SOCKS,
    ),
    network(
        "proxy_socks_http",
        "The SOCKS proxy is one of HTTP.",
        Where.CONNECT,
        Proxy(ProxyAnswer.FORBIDDEN, scheme="socks5"),
        Cause.PROXY_ERROR,
        Phase.CONNECT,
        applies_to=_STACKS,
        needs=_SOCKS,
    ),
    network(
        "proxy_socks_silent",
        "The SOCKS proxy closes the connection without an answer.",
        Where.CONNECT,
        Proxy(ProxyAnswer.NOTHING, scheme="socks5"),
        Cause.PROXY_ERROR,
        Phase.CONNECT,
        applies_to=_STACKS,
        needs=_SOCKS,
    ),
    network(
        "proxy_socks_refused",
        "Nobody listens at the SOCKS proxy's address.",
        Where.CONNECT,
        Proxy(ProxyAnswer.REFUSED, scheme="socks5"),
        Cause.PROXY_ERROR,
        Phase.CONNECT,
        errno=("ECONNREFUSED",),
        applies_to=_STACKS,
        needs=_SOCKS,
    ),
    Fault(
        name="proxy_http_407",
        description="The proxy answers 407 to a plain http request: a response like any other.",
        where=Where.RESPONSE,
        action=Proxy(ProxyAnswer.UNAUTHORIZED, target="http"),
        error_type="407",
        cause=None,
        phase=None,
        outcome=AttemptOutcome.FAILED,
        status=407,
        retried=False,
        request_id=False,
        applies_to=_STACKS,
        needs=_HTTP,
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
