"""The certificates of TLS endpoints, issued by a CA of the simulator's own or by a CA that no client trusts.

Rule: the CA is made when it is first needed, and a key and certificate for each TLS endpoint. No key stays on disk:
trustme writes an endpoint's to a temporary file only while `ssl` loads it. The certificate of the simulator's own CA is
a file from when a client first needs it until the simulator stops.
"""

from __future__ import annotations

import ssl
import tempfile
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path

import trustme

from anthropic_otel.simulator.actions import assert_never
from anthropic_otel.simulator.addresses import Certificate, Tls

_HOST = "127.0.0.1"


class Authority:
    """Issues the certificates of TLS listeners. `close` removes the CA file, if there is one."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @cached_property
    def _ca(self) -> trustme.CA:
        return trustme.CA()

    @cached_property
    def ca_file(self) -> str:
        """The path of a PEM file with the CA certificate that a client has to trust; written at the first use."""
        self._folder = tempfile.TemporaryDirectory(prefix="anthropic-otel-simulator-")
        path = Path(self._folder.name, "ca.pem")
        self._ca.cert_pem.write_to_path(path)
        return str(path)

    def context(self, tls: Tls) -> ssl.SSLContext:
        """Returns a server-side TLS context with a new certificate of the kind that `tls` asks for.

        With `tls.client_certificate` the context demands a certificate of the simulator's CA from the client, and TLS
        is 1.2 at most.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._issue(tls.certificate).configure_cert(context)
        if tls.client_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            self._ca.configure_trust(context)
            context.maximum_version = ssl.TLSVersion.TLSv1_2  # 1.3 checks it after the client's handshake
        return context

    def _issue(self, certificate: Certificate) -> trustme.LeafCert:
        match certificate:
            case Certificate.TRUSTED:
                leaf = self._ca.issue_cert(_HOST)
            case Certificate.UNTRUSTED:
                leaf = trustme.CA().issue_cert(_HOST)
            case Certificate.WRONG_HOST:
                leaf = self._ca.issue_cert("another-host.example")
            case Certificate.EXPIRED:
                yesterday = datetime.now(timezone.utc) - timedelta(days=1)
                leaf = self._ca.issue_cert(_HOST, not_before=yesterday - timedelta(days=1), not_after=yesterday)
            case Certificate.NOT_YET:
                tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
                leaf = self._ca.issue_cert(_HOST, not_before=tomorrow, not_after=tomorrow + timedelta(days=1))
            case _:
                assert_never(certificate)
        return leaf

    def close(self) -> None:
        """Removes the file of the CA's certificate, if it was written."""
        if self._folder is not None:
            self._folder.cleanup()
