"""Reads a certificate that the client has refused: its issuer, its host names, and its dates.

`ssl` reports nothing about a certificate that it refuses. So the certificate is fetched by a second connection, which
accepts any, and a third one, which trusts exactly that certificate, so that `ssl` decodes it.

Rule: no request is sent to the server over these connections, which are closed as soon as the handshake is complete. A
proxy gets its CONNECT.
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
    """What a certificate says.

    - `issuer`: who signed it, as a short text; empty if unknown.
    - `self_signed`: whether issuer and subject are the same.
    - `names`: the host names and IP addresses that it is for.
    - `begins`, `ends`: from when to when it is valid, in seconds since the epoch.
    """

    issuer: str
    self_signed: bool
    names: tuple[str, ...]
    begins: float
    ends: float


class _Seen(BaseException):
    """Raised by us to end a connection after its handshake. No `Exception`, so that no library handles it as one."""


def fetch(url: str, deadline: Deadline) -> Certificate | None:
    """Connects to the server at the https `url`, twice, and returns the certificate that it presents.

    Returns `None` if the certificate cannot be read. What is left until the deadline limits each step of a connection.
    """
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
    """Connects to the https `url` as the SDK's client does, with `context` for TLS, and returns `read(connection)`.

    `read` is called after the handshake, with the `SSLSocket` or `SSLObject`, which has `getpeercert`. Then the
    connection is closed, before a request is sent; but if `read` raises an `Exception`, the server gets a HEAD request
    and the result is `None`. It is also `None` if there was no handshake that worked, or `deadline` has passed. What is
    left until then limits each step.
    """
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
