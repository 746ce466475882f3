"""What libraries of others raise that are not installed here, or that only some apps have: by imitations of them."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from anthropic_otel._core.cause import Cause, classify
from anthropic_otel._core.semconv import NetworkCause as Word
from anthropic_otel._core.semconv import Phase
from support.chains import os_error, over


def imitation(module: str, name: str, *bases: type[BaseException]) -> type[Any]:
    """A class of exceptions as that module defines it."""
    return type(name, bases or (Exception,), {"__module__": module})


def refused() -> BaseException:
    """What urllib3 raises where nothing listens."""
    text = "Failed to establish a new connection: [Errno 111] Connection refused"
    connection: Any = None
    urllib3 = pytest.importorskip("urllib3")
    return over(urllib3.exceptions.NewConnectionError(connection, text), os_error(errno.ECONNREFUSED))


class AzureError(Exception):
    """As `azure.core` has it: what it was made of is an attribute, and no cause."""

    __module__ = "azure.core.exceptions"

    def __init__(self, origin: BaseException) -> None:
        self.inner_exception = origin
        super().__init__(str(origin))


class ServiceRequestError(AzureError):
    """As `azure.core` raises it for a request that it could not send."""

    __module__ = "azure.core.exceptions"


def test_azure_keeps_the_origin_in_an_attribute() -> None:
    """So a token endpoint that cannot be reached is not taken for missing credentials."""
    error = ServiceRequestError(refused())
    assert classify(error, phase=Phase.AUTH) == Cause(Word.CONNECTION_REFUSED, "ECONNREFUSED", Phase.AUTH)
    credentials = imitation("azure.core.exceptions", "ClientAuthenticationError")
    around = over(credentials("DefaultAzureCredential failed to retrieve a token"), error)
    assert classify(around, phase=Phase.AUTH).word is Word.CONNECTION_REFUSED


def test_google_may_keep_the_origin_as_an_argument() -> None:
    """Where it is not raised from it."""
    timeout = pytest.importorskip("requests").exceptions.ConnectTimeout("timed out")
    exceptions: Any = pytest.importorskip("google.auth.exceptions")
    assert classify(exceptions.RefreshError(timeout), phase=Phase.AUTH).word is Word.CONNECT_TIMEOUT


CREDENTIALS = imitation("azure.core.exceptions", "ClientAuthenticationError")
CASES = {
    "azure, no credentials": (imitation("azure.identity._exceptions", "CredentialUnavailableError", CREDENTIALS), None),
    "AWS, an expired role": (imitation("botocore.exceptions", "ClientError"), None),
    "a resolver of aiohttp": (imitation("aiodns.error", "DNSError"), Phase.CONNECT),
    "dnspython": (imitation("dns.resolver", "NXDOMAIN", imitation("dns.exception", "DNSException")), Phase.CONNECT),
    "Zstandard of Python": (imitation("compression.zstd", "ZstdError"), Phase.RECEIVE),
    "its backport": (imitation("backports.zstd", "ZstdError"), Phase.RECEIVE),
    "Brotli of PyPy": (imitation("brotlicffi._api", "error"), Phase.RECEIVE),
    "headers of HTTP/2": (imitation("hpack.exceptions", "HPACKError"), Phase.WAIT),
    "a frame of HTTP/2": (imitation("hyperframe.exceptions", "HyperframeError"), Phase.WAIT),
}
WORDS = {
    "azure, no credentials": Word.REQUEST_NOT_SENT,
    "AWS, an expired role": Word.REQUEST_NOT_SENT,
    "a resolver of aiohttp": Word.NAME_RESOLUTION_ERROR,
    "dnspython": Word.NAME_RESOLUTION_ERROR,
    "Zstandard of Python": Word.DECODING_ERROR,
    "its backport": Word.DECODING_ERROR,
    "Brotli of PyPy": Word.DECODING_ERROR,
    "headers of HTTP/2": Word.PROTOCOL_ERROR,
    "a frame of HTTP/2": Word.PROTOCOL_ERROR,
}


@pytest.mark.parametrize("case", CASES)
def test_an_exception_of_a_library_of_others_has_its_word(case: str) -> None:
    """It comes through as it is from a transport or an authentication of the app's own."""
    cls, phase = CASES[case]
    assert classify(cls("text"), phase=phase).word is WORDS[case]
