"""What a certificate says that the client has not accepted: who signed it, for which name, until when.

`ssl` tells nothing of a certificate that it refuses. So it is asked for a second time, by a connection that accepts
any, and a third time by one that trusts that very certificate: then `ssl` reads it out.

Rule: over these connections nothing is sent. They are dropped as soon as the handshake is over.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from anthropic_otel._adapters.transports import facts_of
from anthropic_otel.cli.doctor.api.steps import Steps, issuer_of
from anthropic_otel.cli.doctor.deadline import Deadline

_IGNORE_DATES: Final = 0x200000
"""OpenSSL's `X509_V_FLAG_NO_CHECK_TIME`, for which `ssl` has no name."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Who signed it, whether that is nobody else, its names, and between which times it is valid, since the epoch."""

    issuer: str
    self_signed: bool
    names: tuple[str, ...]
    begins: float
    ends: float


class _Seen(BaseException):
    """Ends a connection after its handshake. No `Exception`, so that nothing on the way takes it for one of its own."""


def fetch(url: str, deadline: Deadline) -> Certificate | None:
    """The certificate that is shown to a client which goes to `url`, `None` if it cannot be had. Never raises."""
    encoded = _handshake(url, _any(), deadline, lambda connection: connection.getpeercert(True))
    if not isinstance(encoded, bytes):
        return None
    found = _handshake(url, _only(encoded), deadline, lambda connection: connection.getpeercert())
    return _certificate(found) if isinstance(found, dict) else None


def _any() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _only(encoded: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=encoded)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags |= _IGNORE_DATES
    return context


def _handshake(url: str, context: ssl.SSLContext, deadline: Deadline, read: Any) -> object:
    """What `read` returns of the connection to `url`, by the client's own way, with `context` for TLS."""
    import anthropic

    found: list[object] = []

    def see(stream: Any) -> None:
        found.append(read(stream.get_extra_info("ssl_object")))
        stream.close()
        raise _Seen

    steps = Steps(on_tls=see)

    if not deadline.remaining:
        return None
    try:
        hooks = {"request": [steps.listen_to]}
        timeout = anthropic.Timeout(deadline.remaining)
        with anthropic.DefaultHttpxClient(verify=context, timeout=timeout, event_hooks=hooks) as client:
            request = client.build_request("HEAD", url)
            steps.proxied = facts_of(client, request.url).proxy is not None
            client.send(request)
    except (Exception, _Seen):
        pass
    return found[0] if found else None


def _certificate(found: Mapping[str, Any]) -> Certificate:
    names = tuple(str(name) for kind, name in found.get("subjectAltName", ()) if kind in ("DNS", "IP Address"))
    begins, ends = (ssl.cert_time_to_seconds(str(found[key])) for key in ("notBefore", "notAfter"))
    return Certificate(issuer_of(found), found.get("issuer") == found.get("subject"), names, begins, ends)
