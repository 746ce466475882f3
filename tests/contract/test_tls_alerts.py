"""A TLS alert after the handshake: what the libraries raise when a server wants a certificate that the client lacks.

With TLS 1.3 the client has finished its handshake by then, and has sent its request.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import trustme

from anthropic_otel._core import semconv
from anthropic_otel._core.cause import Cause, classify
from anthropic_otel._core.semconv import NetworkCause, Phase
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import STACKS, Stack, http_client
from support.telemetry import recording

pytestmark = [pytest.mark.without_sdk, *BREAKS_CONNECTIONS]


@contextmanager
def alerting(authority: trustme.CA) -> Iterator[str]:
    """The URL of a server that ends each handshake with an alert, and then reads on until the client closes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, context), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5)


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        _refuse(connection, context)
        # A close with something of the client's unread would reset the connection, and the alert might be lost.
        while connection.recv(65536):
            pass


def _refuse(connection: socket.socket, context: ssl.SSLContext) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            connection.sendall(outgoing.read())
            incoming.write(connection.recv(65536))
        except ssl.SSLError:
            connection.sendall(outgoing.read())
            return


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
def test_an_alert_is_a_tls_error_without_an_errno(stack: Stack) -> None:
    """OpenSSL's number, which aiohttp copies into an error of the system, is not taken for `EPERM`."""
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with alerting(authority) as url, Driver(asynchronous=stack.asynchronous) as driver, recording() as recorded:
        client = http_client(stack, verify=context)
        recorded.instrument_http_client(client)
        with pytest.raises((stack.module.TransportError, ssl.SSLError)) as caught:
            driver(client.post(url, content=b"{}"))
        driver.close(client)
    assert classify(caught.value, phase=Phase.WAIT) == Cause(NetworkCause.TLS_ERROR, None, None)
    [attempt] = recorded.attempts
    told = dict(attempt.attributes or {})
    assert (told[semconv.ERROR_TYPE], told[semconv.NETWORK_CAUSE]) == ("tls_error", "tls_error")
    assert semconv.NETWORK_ERRNO not in told
    assert told[semconv.NETWORK_PHASE] in ("send", "wait")
