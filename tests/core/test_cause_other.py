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


CURL = "curl_cffi.requests.exceptions", "pycurl"
CURLS: dict[str, tuple[int, str, Word | None, Phase | None]] = {
    "no scheme": (1, 'Protocol "htp" not supported', Word.REQUEST_NOT_SENT, Phase.SEND),
    "no HTTP": (1, "Received HTTP/0.9 when not allowed", Word.PROTOCOL_ERROR, None),
    "another HTTP": (1, "Unsupported HTTP version in response", Word.PROTOCOL_ERROR, None),
    "the proxy's name": (5, "Could not resolve proxy: proxy.invalid", Word.PROXY_ERROR, Phase.CONNECT),
    "the name": (6, "Could not resolve host: api.anthropic.com", Word.NAME_RESOLUTION_ERROR, Phase.CONNECT),
    "not reached": (7, "Failed to connect to h:1: Could not connect to server", Word.CONNECTION_ERROR, Phase.CONNECT),
    "refused, before 8": (7, "Failed to connect to h: Connection refused", Word.CONNECTION_REFUSED, Phase.CONNECT),
    "proxy not reached": (7, "Failed to connect to h:443 over proxy 127.0.0.1:1", Word.PROXY_ERROR, Phase.CONNECT),
    "refused by the proxy": (7, "CONNECT tunnel failed, response 407", Word.PROXY_ERROR, Phase.CONNECT),
    "the same before 8": (56, "Received HTTP code 407 from proxy after CONNECT", Word.PROXY_ERROR, Phase.CONNECT),
    "a proxy that closes": (56, "Proxy CONNECT aborted", Word.PROXY_ERROR, Phase.CONNECT),
    "a header": (8, "Header without colon", Word.PROTOCOL_ERROR, None),
    "the body cut": (18, "end of response with 60 bytes missing", Word.INCOMPLETE_BODY, None),
    "no connection in time": (28, "Connection timed out after 300 milliseconds", Word.CONNECT_TIMEOUT, Phase.CONNECT),
    "no name in time": (28, "Resolving timed out after 300 milliseconds", Word.CONNECT_TIMEOUT, Phase.CONNECT),
    "silence": (28, "Operation timed out after 300 ms with 0 bytes received", Word.READ_TIMEOUT, None),
    "TLS": (35, "TLS connect error: error:100000f7:SSL routines", Word.TLS_ERROR, Phase.TLS),
    "a reset in TLS": (35, "Recv failure: Connection reset by peer", Word.CONNECTION_RESET, Phase.TLS),
    "too many redirects": (47, "Maximum (30) redirects followed", Word.TOO_MANY_REDIRECTS, None),
    "closed": (52, "Empty reply from server", Word.SERVER_DISCONNECTED, None),
    "not taken": (55, "Send failure: Broken pipe", Word.CONNECTION_RESET, Phase.SEND),
    "reset": (56, "Recv failure: Connection reset by peer", Word.CONNECTION_RESET, None),
    "reset on Windows": (56, "Recv failure: Connection was reset", Word.CONNECTION_RESET, None),
    "a chunk": (56, "chunk hex-length char not a hex digit: 0x0", Word.PROTOCOL_ERROR, None),
    "a certificate": (60, "SSL certificate OpenSSL verify result: expired", Word.TLS_CERTIFICATE_ERROR, Phase.TLS),
    "the encoding": (61, "Error while processing content unencoding", Word.DECODING_ERROR, None),
    "a stream of HTTP/2": (92, "HTTP/2 stream 1 was not closed cleanly", Word.STREAM_RESET, None),
    "SOCKS": (97, "Received invalid version in initial SOCKS5 response", Word.PROXY_ERROR, Phase.CONNECT),
    "another number": (27, "Out of memory", Word.OTHER, None),
}


@pytest.mark.parametrize("quoted", [False, True], ids=["number", "text"])
@pytest.mark.parametrize("case", CURLS)
def test_an_exception_of_libcurl_has_the_word_of_its_number(case: str, *, quoted: bool) -> None:
    """By curl_cffi, whose exceptions have a code and quote it, and by pycurl, which has it as an argument."""
    number, text, word, phase = CURLS[case]
    by_cffi = imitation(CURL[0], "ConnectionError", imitation("curl_cffi.curl", "CurlError"))(
        f"Failed to perform, curl: ({number}) {text}. See https://curl.se/libcurl/c/libcurl-errors.html first for more."
    )
    by_cffi.code = 0 if quoted else number
    cls = imitation(CURL[1], "error")
    by_pycurl = cls(f"({number}, {text!r})") if quoted else cls(number, text)
    for error in (by_cffi, by_pycurl):
        found = classify(error)
        assert (found.word, found.phase) == (word, phase)


def test_an_exception_of_libcurl_whose_code_raises_is_known_by_its_text() -> None:
    """A class that an app derives may have a property of that name."""

    class Derived(imitation("curl_cffi.curl", "CurlError")):  # type: ignore[misc]
        @property
        def code(self) -> int:
            raise RuntimeError("hostile")

    assert classify(Derived("Failed to perform, curl: (52) Empty reply from server.")).word is Word.SERVER_DISCONNECTED


def test_a_session_of_curl_cffi_that_is_closed_is_named() -> None:
    """It has no number for that."""
    cls = imitation(CURL[0], "SessionClosed", imitation("curl_cffi.curl", "CurlError"))
    assert classify(cls("Session is closed, cannot send request.")).word is Word.CLIENT_CLOSED
