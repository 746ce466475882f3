"""Faults of TLS: in the handshake, by an alert, or after the handshake."""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.semconv import NetworkCause as Cause
from anthropic_otel._core.semconv import Phase
from anthropic_otel.simulator.actions import Cut, Ending, Point, Raw
from anthropic_otel.simulator.addresses import Certificate, Handshake, Tls
from anthropic_otel.simulator.faults import HTTPX, HTTPX2, Fault, Needs, Where, network

_SOON: Final = 0.3
_CA: Final = Needs(ca=True)
_HTTPCORE: Final = frozenset({HTTPX, HTTPX2})
"""Without aiohttp, which has a single timeout for pool, connect and TLS handshake."""


_HANDSHAKE: Final = (
    network(
        "tls_untrusted",
        "The certificate is signed by a CA that the client does not know.",
        Where.CONNECT,
        Tls(Certificate.UNTRUSTED),
        Cause.TLS_CERTIFICATE_ERROR,
        Phase.TLS,
    ),
    network(
        "tls_wrong_host",
        "The certificate is for another host name.",
        Where.CONNECT,
        Tls(Certificate.WRONG_HOST),
        Cause.TLS_CERTIFICATE_ERROR,
        Phase.TLS,
        needs=_CA,
    ),
    network(
        "tls_expired",
        "The certificate has expired.",
        Where.CONNECT,
        Tls(Certificate.EXPIRED),
        Cause.TLS_CERTIFICATE_ERROR,
        Phase.TLS,
        needs=_CA,
    ),
    network(
        "tls_not_yet_valid",
        "The certificate is not valid yet: one side's clock is wrong.",
        Where.CONNECT,
        Tls(Certificate.NOT_YET),
        Cause.TLS_CERTIFICATE_ERROR,
        Phase.TLS,
        needs=_CA,
    ),
    network(
        "tls_plain_port",
        "The client speaks TLS to a server that speaks plain HTTP.",
        Where.CONNECT,
        Handshake(Ending.GARBAGE),
        Cause.TLS_ERROR,
        Phase.TLS,
    ),
    network(
        "tls_closed",
        "The server closes the connection in the TLS handshake.",
        Where.CONNECT,
        Handshake(Ending.CLOSE),
        Cause.TLS_ERROR,
        Phase.TLS,
    ),
    network(
        "tls_reset",
        "The server resets the connection in the TLS handshake.",
        Where.CONNECT,
        Handshake(Ending.RESET),
        Cause.CONNECTION_RESET,
        Phase.TLS,
        errno=("ECONNRESET",),
    ),
    network(
        "tls_timeout",
        "The server accepts the connection and never answers the TLS handshake.",
        Where.CONNECT,
        Handshake(Ending.STALL),
        Cause.TLS_TIMEOUT,
        Phase.TLS,
        applies_to=_HTTPCORE,
        needs=Needs(connect_timeout=_SOON),
    ),
)


def _alert(name: str, description: str, alert: int) -> Fault:
    return network(name, description, Where.CONNECT, Handshake(Ending.CLOSE, alert), Cause.TLS_ERROR, Phase.TLS)


_ALERTS: Final = (
    _alert("tls_alert_handshake", "The server finds no cipher or parameters that both sides support.", 40),
    _alert("tls_alert_version", "The server does not speak the client's version of TLS.", 70),
    _alert("tls_alert_internal", "The server has an error of its own in the handshake.", 80),
    _alert("tls_alert_name", "The server has no certificate for the name that the client asks for.", 112),
    _alert("tls_alert_alpn", "The server speaks no protocol that the client offers.", 120),
    network(
        "tls_client_certificate",
        "The server demands a client certificate and ends the handshake, as the client has none.",
        Where.CONNECT,
        Tls(Certificate.TRUSTED, client_certificate=True),
        Cause.TLS_ERROR,
        Phase.TLS,
        needs=_CA,
    ),
)

_AFTER: Final = (
    network(
        "protocol_error_tls",
        "The server answers over TLS with bytes that are not HTTP.",
        Where.BEFORE_HEADERS,
        Tls(Certificate.TRUSTED, then=Raw(b"\x00\x01\x02 not HTTP\r\n\r\n")),
        Cause.PROTOCOL_ERROR,
        Phase.WAIT,
        needs=_CA,
    ),
    network(
        "read_timeout_tls",
        "The server takes the request over TLS and never answers.",
        Where.BEFORE_HEADERS,
        Tls(Certificate.TRUSTED, then=Cut(Point.HEADERS, Ending.STALL)),
        Cause.READ_TIMEOUT,
        Phase.WAIT,
        needs=Needs(ca=True, read_timeout=_SOON),
    ),
)

FAULTS: Final = (*_HANDSHAKE, *_ALERTS, *_AFTER)
