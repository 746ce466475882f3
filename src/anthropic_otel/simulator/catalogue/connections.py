"""Network faults before the response's headers: name look-up, connecting, the pool, sending, waiting.

Rule: each one really happens on this machine: a failing look-up, an RST, a refused connection. Timeouts are short, so
that the whole catalogue runs in seconds.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.semconv import NetworkCause as Cause
from anthropic_otel._core.semconv import Phase
from anthropic_otel.simulator.actions import Cut, Ending, Point
from anthropic_otel.simulator.addresses import Address, Certificate, Place, Tls
from anthropic_otel.simulator.faults import HTTPX, HTTPX2, Needs, Where, network

_SOON: Final = 0.3
_LARGE: Final = 16 * 1024 * 1024
"""Bytes of a request that do not fit into both sides' socket buffers: a server that does not read blocks the client."""
_HTTPCORE: Final = frozenset({HTTPX, HTTPX2})
"""Without aiohttp, which has no write timeout, and a single timeout for pool, connect and TLS handshake."""

_CONNECT: Final = (
    network(
        "name_resolution_error",
        "The host name does not exist.",
        Where.CONNECT,
        Address(Place.UNKNOWN_NAME),
        Cause.NAME_RESOLUTION_ERROR,
        Phase.CONNECT,
        errno=("EAI_NONAME", "EAI_AGAIN"),
    ),
    network(
        "connection_refused",
        "Nothing listens at the address.",
        Where.CONNECT,
        Address(Place.REFUSED),
        Cause.CONNECTION_REFUSED,
        Phase.CONNECT,
        errno=("ECONNREFUSED",),
    ),
    network(
        "network_unreachable",
        "The kernel has no route to the address.",
        Where.CONNECT,
        Address(Place.UNREACHABLE),
        Cause.NETWORK_UNREACHABLE,
        Phase.CONNECT,
        errno=("ENETUNREACH",),
    ),
    network(
        "connect_timeout",
        "The listener's backlog is full: the client's SYN is never answered.",
        Where.CONNECT,
        Address(Place.FULL_BACKLOG),
        Cause.CONNECT_TIMEOUT,
        Phase.CONNECT,
        needs=Needs(connect_timeout=_SOON),
    ),
    network(
        "pool_timeout",
        "Every connection that the client may have is busy with a response that does not end.",
        Where.CONNECT,
        Cut(Point.BODY, Ending.STALL, after=1),
        Cause.POOL_TIMEOUT,
        Phase.POOL,
        applies_to=_HTTPCORE,
        needs=Needs(pool_timeout=_SOON, max_connections=1, busy_connections=1),
    ),
)

_REQUEST: Final = (
    network(
        "connection_reset_in_request",
        "The server resets the connection while the client sends a large request.",
        Where.REQUEST,
        Cut(Point.REQUEST, Ending.RESET),
        Cause.CONNECTION_RESET,
        Phase.SEND,
        errno=("ECONNRESET", "EPIPE"),
        needs=Needs(request_bytes=_LARGE),
    ),
    network(
        "write_timeout",
        "The server does not read a large request.",
        Where.REQUEST,
        Cut(Point.REQUEST, Ending.STALL),
        Cause.WRITE_TIMEOUT,
        Phase.SEND,
        applies_to=_HTTPCORE,
        needs=Needs(write_timeout=_SOON, request_bytes=_LARGE),
    ),
)

_WAIT: Final = (
    network(
        "connection_reset",
        "The server resets the connection before any headers.",
        Where.BEFORE_HEADERS,
        Cut(Point.HEADERS, Ending.RESET),
        Cause.CONNECTION_RESET,
        Phase.WAIT,
        errno=("ECONNRESET",),
    ),
    network(
        "server_disconnected",
        "The server closes the connection before any headers.",
        Where.BEFORE_HEADERS,
        Cut(Point.HEADERS, Ending.CLOSE),
        Cause.SERVER_DISCONNECTED,
        Phase.WAIT,
    ),
    network(
        "server_disconnected_tls",
        "The server closes a TLS connection before any headers.",
        Where.BEFORE_HEADERS,
        Tls(Certificate.TRUSTED, then=Cut(Point.HEADERS, Ending.CLOSE)),
        Cause.SERVER_DISCONNECTED,
        Phase.WAIT,
        needs=Needs(ca=True),
    ),
    network(
        "protocol_error",
        "The server answers with bytes that are not HTTP.",
        Where.BEFORE_HEADERS,
        Cut(Point.HEADERS, Ending.GARBAGE),
        Cause.PROTOCOL_ERROR,
        Phase.WAIT,
    ),
    network(
        "read_timeout",
        "The server takes the request and never answers.",
        Where.BEFORE_HEADERS,
        Cut(Point.HEADERS, Ending.STALL),
        Cause.READ_TIMEOUT,
        Phase.WAIT,
        needs=Needs(read_timeout=_SOON),
    ),
)

FAULTS: Final = (*_CONNECT, *_REQUEST, *_WAIT)
